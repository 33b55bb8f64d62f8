/** Settings of the test against a cluster of the user; none has a default. */
export interface Settings {
  readonly image: { readonly registry: string; readonly repository: string; readonly tag: string }
  readonly bucket: string
  readonly region: string
  readonly accessKey: string
  readonly secret: string
  /** Of a store that is not AWS. */
  readonly endpoint?: string
  /** Name of the node to try; one that is ready where it is not given. */
  readonly node?: string
  /** Directory on the node for the time of the test. */
  readonly hostDirectory: string
}

const REQUIRED = {
  KUBECONFIG: 'the cluster, by a file whose current context may create a namespace and roles',
  IMAGE: 'the image to try, such as registry.example/core-dump-handler:0.1.0',
  S3_BUCKET_NAME: 'a bucket that pods and this machine can reach',
  S3_REGION: 'its region; us-east-1 where the store knows none',
  S3_ACCESS_KEY: 'a key that may write, read, list and delete in it',
  S3_SECRET: 'its secret',
} as const

export const USAGE = `Usage: npm run test:cluster [-- HELM-OPTION...]

Installs the chart into a namespace of its own on one node of your cluster, lets a pod crash,
waits for its object in your bucket, checks it, and removes all of it again. For these seconds the
crashes of that whole node go through it.

Needs helm and kubectl, and as environment variables:
${Object.entries(REQUIRED)
  .map(([name, what]) => `  ${name.padEnd(15)} ${what}`)
  .join('\n')}
and where they are needed:
  S3_ENDPOINT     URL of a store that is not AWS
  NODE_NAME       name of the node; else the first that is ready and takes pods
  HOST_DIRECTORY  directory on the node (/var/mnt/core-dump-handler-test)
Options are passed to helm, such as \`-f chart/values.openshift.yaml\`.
`

/** @throws TypeError that names each variable that is missing, and what it is for */
export function readSettings(env: Readonly<NodeJS.ProcessEnv>): Settings {
  const missing = Object.entries(REQUIRED).filter(([name]) => !env[name]?.trim())
  if (missing.length > 0) {
    const lines = missing.map(([name, what]) => `  ${name}: ${what}`)
    throw new TypeError(`These variables must be set:\n${lines.join('\n')}`)
  }
  const get = (name: keyof typeof REQUIRED): string => env[name]?.trim() ?? ''
  const { S3_ENDPOINT: endpoint, NODE_NAME: node } = env
  return {
    image: parseImage(get('IMAGE')),
    bucket: get('S3_BUCKET_NAME'),
    region: get('S3_REGION'),
    accessKey: get('S3_ACCESS_KEY'),
    secret: get('S3_SECRET'),
    ...(endpoint && { endpoint }),
    ...(node && { node }),
    hostDirectory: env['HOST_DIRECTORY'] || '/var/mnt/core-dump-handler-test',
  }
}

function parseImage(image: string): Settings['image'] {
  const [, registry, repository, tag] = /^([^/]+)\/([^:@]+):([^:@/]+)$/.exec(image) ?? []
  if (registry && repository && tag) return { registry, repository, tag }
  throw new TypeError(`IMAGE is \`${image}\`: expected registry/repository:tag`)
}
