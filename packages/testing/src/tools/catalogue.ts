import { debianPackage } from './debian-package.ts'
import { goInstall } from './go.ts'
import { makeHelmUnittest, makeS5cmd } from './own-modules.ts'
import { KUBERNETES, makeKubeone } from './kubeone.ts'
import { nodeFromNpm } from './node-from-npm.ts'
import { COLLECTOR, makeOtelCollector } from './otel-collector.ts'
import { makeSchemas } from './schemas.ts'
import { makeMonitoringSchemas } from './monitoring-schemas.ts'
import type { Tool } from './tool.ts'

const CONTAINERD = 'github.com/containerd/containerd/v2'
const CONTAINERD_PROGRAMS = ['containerd', 'containerd-shim-runc-v2', 'ctr']

function olderSchemas(version: string) {
  return {
    version,
    main: '.',
    files: {},
    cost: 'deriving them from the OpenAPI document in the Kubernetes module, about 30 s',
    make: makeSchemas(version),
  }
}

/** What the tests use, exactly; a new version is a new pin (and a new sum) here and nowhere else. */
export const CATALOGUE = {
  versitygw: {
    version: '1.8.0',
    files: { versitygw: '4da2def428366ec6da4be37c14519fd5eeb8556e2e32e51467c12cd7fdff2842' },
    probe: { command: 'versitygw', args: ['--version'], expect: /\bv1\.8\.0\b/ },
    cost: 'building it with Go, about 2 minutes',
    make: goInstall(['github.com/versity/versitygw/cmd/versitygw@v1.8.0']),
  },
  containerd: {
    version: '2.4.2',
    files: {
      containerd: '1b1e73e62e00b58072783a542d27da8bdcf36cef4a7ac3eefcc8580f55192608',
      'containerd-shim-runc-v2': '29dd69a542f2efccedc8f67c5764ffeb27018a23dcea527ba0bf3d850a33c2e8',
      ctr: '0621883887dc7520299f9b9fafe9d52e9c01fec8b5bb5d15179a8c963ed4db01',
    },
    probe: { command: 'containerd', args: ['--version'], expect: / v2\.4\.2\b/ },
    cost: 'building containerd, its shim and ctr with Go, about 3 minutes',
    make: goInstall(
      CONTAINERD_PROGRAMS.map((program) => `${CONTAINERD}/cmd/${program}@v2.4.2`),
      `-X ${CONTAINERD}/version.Version=v2.4.2`,
    ),
  },
  'containerd-1.6': {
    version: 'bookworm',
    main: 'containerd',
    files: { containerd: undefined },
    probe: { command: 'containerd', args: ['--version'], expect: /\b1\.6\.\d/ },
    cost: 'downloading the package of Debian 12, about 10 s',
    make: debianPackage('containerd', 'bookworm', CONTAINERD_PROGRAMS),
  },
  'containerd-1.7': {
    version: 'trixie',
    main: 'containerd',
    files: { containerd: undefined },
    probe: { command: 'containerd', args: ['--version'], expect: /\b1\.7\.\d/ },
    cost: 'downloading the package of Debian 13, about 10 s',
    make: debianPackage('containerd', 'trixie', CONTAINERD_PROGRAMS),
  },
  kubeone: {
    version: KUBERNETES,
    files: { kubeone: 'b0c7117ad2e5299a9764251c64820e86ba1de1c967287056baf9d4fef5a5da03' },
    // one program that is all of these, by the name it is called by
    links: {
      etcd: 'kubeone',
      'kube-apiserver': 'kubeone',
      'kube-controller-manager': 'kubeone',
      'kube-scheduler': 'kubeone',
      kubectl: 'kubeone',
      kubelet: 'kubeone',
    },
    cost: 'building a whole Kubernetes and etcd with Go, 10 to 45 minutes (once)',
    make: makeKubeone,
  },
  schemas: {
    version: KUBERNETES,
    main: '.',
    files: {},
    archive: 'schemas.tar.xz',
    cost: 'deriving them from the OpenAPI document in the Kubernetes module, about 30 s',
    make: makeSchemas(KUBERNETES),
  },
  // two older versions that are in use: what the chart renders must be valid there too
  'schemas-1.35': olderSchemas('1.35.4'),
  'schemas-1.33': olderSchemas('1.33.13'),
  'monitoring-schemas': {
    version: '0.85.0',
    main: '.',
    files: {},
    cost: 'deriving them from the module of the Prometheus operator, about 20 s',
    make: makeMonitoringSchemas('0.85.0'),
  },
  helm: {
    version: '4.3.1',
    files: { helm: 'a7e61e6f693934aa73c8922c8892489325335a01f921be04496b5207c38d03c0' },
    probe: { command: 'helm', args: ['version', '--short'], expect: /^v4\.3\b/ },
    cost: 'building it with Go, about 3 minutes',
    make: goInstall(['helm.sh/helm/v4/cmd/helm@v4.3.1']),
  },
  'helm-unittest': {
    version: '1.1.2',
    files: { 'helm-unittest': 'c5eb03460f56d97cfbe49279f1c0c8580df9857be33aaf89904eb69a528c1760' },
    cost: 'building it with Go, about 1 minute after helm, 4 without',
    make: makeHelmUnittest,
  },
  'helm-docs': {
    version: '1.14.2',
    files: { 'helm-docs': '1c930fb8eda3e636e636d2eb963e83b64210875bad0a56f5bc15957cd83cf487' },
    probe: { command: 'helm-docs', args: ['--version'], expect: /\b1\.14\.2\b/ },
    cost: 'building it with Go, about 30 s',
    make: goInstall(['github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2']),
  },
  kubeconform: {
    version: '0.8.0',
    files: { kubeconform: 'bbc15647a62f059f473587d1a6b2e7f403d059618878e490f19b8a1b338f71c3' },
    probe: { command: 'kubeconform', args: ['-v'], expect: /\bv?0\.8\.0\b/ },
    cost: 'building it with Go, about 30 s',
    make: goInstall(['github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0']),
  },
  s5cmd: {
    version: '2.3.0',
    files: { s5cmd: 'b00eb2a848fca627b70b2c65869de6fbd2d57a85ae5bd2df45277d913314374b' },
    probe: { command: 's5cmd', args: ['version'], expect: /^v2\.3\.0\b/ },
    cost: 'building it with Go, about 1 minute',
    make: makeS5cmd,
  },
  'otel-collector': {
    version: COLLECTOR,
    files: { 'otel-collector': undefined },
    cost: 'building it with Go, about 3 minutes',
    make: makeOtelCollector,
  },
  prometheus: {
    version: 'bookworm',
    files: { prometheus: undefined, promtool: undefined },
    cost: 'downloading the package of Debian 12, about 20 s',
    make: debianPackage('prometheus', 'bookworm', ['prometheus', 'promtool']),
  },
  'node-22': nodeFromNpm('22.18.0'),
  'node-24': nodeFromNpm('24.21.0'),
  'node-26': nodeFromNpm('26.10.0'),
} satisfies Record<string, Tool>

type Owner = keyof typeof CATALOGUE

/** Programs that come with a tool of another name. */
const COMPANIONS = {
  'containerd-shim-runc-v2': 'containerd',
  ctr: 'containerd',
  etcd: 'kubeone',
  'kube-apiserver': 'kubeone',
  'kube-controller-manager': 'kubeone',
  'kube-scheduler': 'kubeone',
  kubectl: 'kubeone',
  kubelet: 'kubeone',
  promtool: 'prometheus',
} as const satisfies Record<string, Owner>

/** Every name a tool can be asked for by. */
export type ToolName = Owner | keyof typeof COMPANIONS

export const TOOL_NAMES: readonly string[] = [CATALOGUE, COMPANIONS].flatMap((tools) =>
  Object.keys(tools),
)

export function isToolName(name: string): name is ToolName {
  return TOOL_NAMES.includes(name)
}

/** The tool that brings `name`, and the file it is in the tool's folder. */
export function resolveTool(name: ToolName): { owner: Owner; tool: Tool; file: string } {
  const owner = isCompanion(name) ? COMPANIONS[name] : name
  const tool: Tool = CATALOGUE[owner]
  return { owner, tool, file: name === owner ? (tool.main ?? owner) : name }
}

function isCompanion(name: ToolName): name is keyof typeof COMPANIONS {
  return name in COMPANIONS
}
