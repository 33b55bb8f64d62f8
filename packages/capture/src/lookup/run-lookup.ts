import { delimiter, join } from 'node:path'
import {
  type BlockingCalls,
  type Lookup,
  type LookupSubject,
  type Runtime,
  startLookup,
  openRuntime,
} from '@core-dump-handler/cri'
import type { CaptureContext } from '../context.ts'
import { PROCESS_FILES } from '../crash.ts'

// v9 looked for crictl here, and last in its own directory
const PATH = '/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/home/kubernetes/bin'

export interface RunLookupOptions {
  /** Times its limits. @default 1 */
  readonly factor?: number
  /** @default those of this process */
  readonly blockingCalls?: BlockingCalls
}

/** Asks this node's runtime about `subject`; with IGNORE_CRIO only the process itself counts. */
export function runLookup(
  subject: LookupSubject,
  { settings, home, stop }: CaptureContext,
  { factor = 1, blockingCalls }: RunLookupOptions = {},
): Lookup {
  const runtime = settings.ignoreCrio ? undefined : open()
  const lookup = startLookup(subject, runtime, {
    totalTimeoutMs: settings.criTotalTimeoutMs * factor,
    logLines: settings.logLength,
    includeProcessFiles: settings.includeProcInfo ? PROCESS_FILES : [],
    procRoot: settings.procRoot,
    signal: stop.signal,
    ...(blockingCalls && { blockingCalls }),
  })
  return {
    identified: lookup.identified,
    result: lookup.result,
    close: async () => {
      await lookup.close()
      await runtime?.then(closeRuntime, () => {})
    },
  }

  function open(): Promise<Runtime> {
    return openRuntime({
      client: settings.criClient,
      callTimeoutMs: settings.criCallTimeoutMs * factor,
      crictlImageCommand: settings.crioImageCmd,
      crictlEnv: { PATH: home === undefined ? PATH : `${PATH}${delimiter}${home}` },
      signal: stop.signal,
      ...(settings.criEndpoint !== '' && { endpoint: settings.criEndpoint }),
      ...(settings.useCrioConf &&
        home !== undefined && { crictlConfig: join(home, 'crictl.yaml') }),
    })
  }
}

function closeRuntime(runtime: Runtime): void {
  runtime.close()
}
