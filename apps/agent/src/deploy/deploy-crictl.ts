import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { installFile } from './install-file.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { registerFiles, exists, NEEDED, nodeFiles, STATE_DIRECTORIES } from '../node/node-files.ts'

/**
 * The text of version 9's crictl.yaml, byte for byte: no newline at its end. Without an endpoint
 * crictl tries the sockets that it knows itself.
 */
export function crictlConfig(endpoint: string | undefined): string {
  return [
    ...(endpoint === undefined
      ? []
      : [`runtime-endpoint: ${endpoint}`, `image-endpoint: ${endpoint}`]),
    'timeout: 2',
    'debug: false',
    'pull-image-on-create: false',
  ].join('\n')
}

/** Whether an agent of any version wrote `text`. */
function isOurConfig(text: string): boolean {
  return text === crictlConfig(/^runtime-endpoint: (.*)$/m.exec(text)?.[1])
}

/** The endpoint of the runtime's socket that is seen below one of these roots, the first one first. */
export async function findEndpoint(roots: readonly string[]): Promise<string | undefined> {
  // loaded only here: the client of the runtime costs memory
  const { findSockets } = await import('@core-dump-handler/cri')
  for (const root of roots) {
    const [socket] = await findSockets(root)
    if (socket !== undefined) return `unix://${socket.slice(root.replace(/\/+$/, '').length)}`
  }
  return undefined
}

/** The crictl that came with the agent: in the working directory, or beside the program. */
async function findCrictl(): Promise<string | undefined> {
  const beside = process.argv[1] === undefined ? [] : [join(dirname(process.argv[1]), 'crictl')]
  for (const path of [resolve('crictl'), ...beside]) if (await exists(path)) return path
  return undefined
}

/**
 * Installs crictl and its configuration, where the settings ask for them and no other program's are
 * there. Lists all of our files of HOST_DIR.
 */
export async function deployCrictl(settings: AgentSettings, log: Log): Promise<void> {
  const { hostDir, crioEndpoint, hasCrioEndpoint, procRoot } = settings
  const files = nodeFiles(hostDir)
  const source = settings.deployCrictl ? await findCrictl() : undefined
  if (settings.deployCrictl && source === undefined) {
    log.warn(
      'DEPLOY_CRIO_EXE: no crictl came with this agent; the composer speaks gRPC to the runtime',
    )
  }
  const ofEarlierAgent = isOurConfig(await readFile(files.crictlConfig, 'utf8').catch(() => ''))
  const wanted = [
    ...(source === undefined ? [] : ['crictl']),
    ...(settings.deployCrictlConfig ? ['crictl.yaml'] : []),
  ]
  const always = [...NEEDED, ...(ofEarlierAgent ? ['crictl.yaml'] : [])]
  const ours = await registerFiles(hostDir, always, [...STATE_DIRECTORIES, ...wanted])
  for (const file of wanted.filter((name) => !ours.has(name))) {
    log.warn(
      { file: join(hostDir, file) },
      'a file of another program has this name: left as it is',
    )
  }
  if (settings.deployCrictlConfig && ours.has('crictl.yaml')) {
    // in a pod that may look, the first process of the node sees the sockets
    const endpoint = hasCrioEndpoint
      ? crioEndpoint
      : await findEndpoint(['/', join(procRoot, '1/root')])
    if (endpoint === undefined) {
      log.info(
        'DEPLOY_CRIO_CONFIG: no socket of a container runtime is seen here; crictl looks for it itself, or set CRIO_ENDPOINT',
      )
    }
    await writeFileAtomic(files.crictlConfig, crictlConfig(endpoint), { mode: 0o600 })
  }
  if (source !== undefined && ours.has('crictl')) await installFile(source, files.crictl, 0o700)
}
