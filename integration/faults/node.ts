import { numbered, type FaultSection } from './row.ts'

const AGENT = 'integration/agent-faults.test.ts'

export const NODE_FAULTS: FaultSection = numbered('The node', 'node', [
  [
    'agent upgraded',
    'under crashes',
    'none is lost',
    '20 of 20',
    'integration/upgrade.test.ts › while 20 crashes are handled loses none of them',
  ],
  [
    'agent started twice',
    'on one node',
    'one holds it, the other waits',
    'whatever their directories',
    'apps/agent/src/daemon.test.ts › two agents on one node: the second waits until the first has ended',
    'apps/agent/src/node/claim-node.test.ts › a node is held by one agent, whatever the directories of the others',
  ],
  [
    'HOST_DIR on a full disk',
    'at set-up',
    'said; the node keeps its settings',
    'ENOSPC, the pattern as found',
    `${AGENT} › whose HOST_DIR is on a full disk says so, and the node keeps its own settings`,
  ],
  [
    'HOST_DIR noexec, read-only',
    'at set-up',
    'said; the node keeps its settings',
    'what to do is named',
    'integration/unrunnable.test.ts › because it is made for another architecture',
    'apps/agent/src/prepare.test.ts › a directory that cannot be written is named, and the sysctls stay',
  ],
  [
    'sysctl refused, cut in silence',
    'at set-up',
    'an error, the old value back',
    'read back and compared',
    'packages/sysctl/src/sysctl.test.ts › a value that does not read back is refused',
    'packages/sysctl/src/sysctl.test.ts › what the kernel cut in silence is an error, and the old value is back',
  ],
  [
    'pattern changed by another program',
    'while we run',
    'said, and put back',
    'or only said',
    'apps/agent/src/daemon.test.ts › a sysctl changed by somebody else is said and put back',
  ],
  [
    'pattern changed by another program',
    'before `remove`',
    'left alone',
    'the stranger’s value stays',
    'apps/agent/src/remove.test.ts › a pattern that somebody else has set meanwhile is left alone',
  ],
  [
    'kernel cannot run the composer',
    'after set-up',
    'all is given back',
    'the canary does not come, and it is said why',
    'integration/canary.test.ts › does not come where the kernel alone cannot run the composer: all is given back',
  ],
  [
    'core given up by the kernel',
    'over core_pipe_limit',
    'counted',
    'from the kernel’s log',
    'apps/agent/src/node/watch-drops.test.ts › cores that the kernel gave up are counted from its log, by reason',
  ],
  [
    'HOST_DIR, CORE_DIR, destination where no directory can be made',
    'at the start, at the first upload',
    'an error, not a wait',
    'below /proc, where mkdir(2) answers ENOENT: exit 1 with the path; nothing spins',
    'apps/agent/src/prepare.test.ts › %s where no directory can be made ends the start with an error, and does not hold it',
    'packages/upload/src/directory/directory.test.ts › a place where no directory can be made is told, and not waited for',
    'packages/sysctl/src/backup.test.ts › a directory of backups that cannot be made is an error, not a wait',
  ],
])
