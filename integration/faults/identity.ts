import { numbered, type FaultSection } from './row.ts'

const RUN = 'integration/identity-run.test.ts › no crash of ${CRASHES} is given to another owner'
const LOOK_UP = 'packages/cri/src/look-up/look-up.test.ts'
const WHOSE = 'integration/whose-crash.test.ts'

/** Whose crash it was, under attack. */
export const IDENTITY_FAULTS: FaultSection = numbered('Whose crash it was', 'identity', [
  [
    'forked child, thread, exec’d process',
    'in 24 pods at random',
    'its container',
    'verified unless the runtime is restarted meanwhile, none wrong',
    RUN,
    `${WHOSE} › a forked child that crashes is its container, which lives on`,
    `${WHOSE} › a thread that crashes is its process`,
  ],
  [
    'names and host names of other pods',
    'in 24 pods at random',
    'told apart',
    'none wrong',
    RUN,
    `${WHOSE} › two pods of one host name in two namespaces are told apart, crashing at once`,
  ],
  [
    'hostNetwork, hostPID',
    'in 4 of 24 pods',
    'its pod',
    'verified unless the runtime is restarted meanwhile, none wrong',
    RUN,
  ],
  [
    'cgroup of its own named after another container',
    'moved there before the crash',
    'the outer one is believed',
    'verified unless the runtime is restarted meanwhile, none wrong',
    RUN,
    `${LOOK_UP} › made inside the container are not believed`,
  ],
  [
    'moved to another container’s cgroup in some hierarchies',
    'before the crash',
    'unverified, and neither is named',
    'none wrong, also while the runtime is down',
    RUN,
    `${LOOK_UP} › that name another container on another line prove nothing`,
    'packages/cri/src/process/cgroup.test.ts › lines in two pods: neither is told',
  ],
  [
    'moved out of all containers in some hierarchies',
    'before the crash',
    'its own by those that are left',
    'none wrong',
    RUN,
    `${LOOK_UP} › who left its cgroup is not taken for the host`,
  ],
  [
    'ids of an outer cluster in the path',
    'nested clusters',
    'passed over',
    'verified',
    `${LOOK_UP} › of a layer outside are passed over`,
  ],
  [
    'pod uid of the path is not the runtime’s',
    'at the look-up',
    'unverified',
    'both are told',
    `${LOOK_UP} › under a pod that is not the runtime’s prove nothing`,
  ],
  [
    'new pod under the names of another',
    'its first process crashes',
    'its own uid',
    'none wrong',
    RUN,
  ],
  [
    'container removed',
    'before the look-up',
    'unverified',
    'none wrong, the core kept',
    RUN,
    `${LOOK_UP} › that no runtime knows are said`,
  ],
  [
    'runtime restarted',
    'during the look-ups',
    'verified or unverified, never wrong',
    'none wrong',
    RUN,
    'packages/cri/src/runtime/grpc/broken.test.ts › a runtime that was restarted is connected to anew',
  ],
  [
    'pause process',
    'crashes',
    'its pod, no container',
    'told so',
    `${LOOK_UP} › a crash of the pause process is the pod’s, and no container’s`,
  ],
  [
    'process of the host',
    'crashes',
    '`host`',
    'and nobody is asked',
    'integration/host-crash.test.ts › a process in no container is said to be of the host',
  ],
  [
    'pid reused, forged cgroups',
    'seeded, 24 pods',
    'verified only where it is true',
    'fuzzing',
    'integration/fuzz/fuzz.test.ts › $name: $what',
  ],
])
