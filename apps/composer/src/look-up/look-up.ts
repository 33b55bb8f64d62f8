import { delimiter, join } from 'node:path'
import {
  type Lookup,
  type LookupSubject,
  type Runtime,
  startLookup,
  openRuntime,
} from '@core-dump-handler/cri'
import { PROCESS_FILES } from '../crash/process-files.ts'
import type { Task } from '../task.ts'

// version 9 looked for crictl here, and last beside itself
const PATH = '/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/home/kubernetes/bin'

/** Ask this node's runtime about `subject`; with IGNORE_CRIO only what the process itself tells. */
export function beginLookUp(subject: LookupSubject, { settings, home, stop }: Task): Lookup {
  const runtime = settings.ignoreCrio ? undefined : open()
  const search = startLookup(subject, runtime, {
    totalTimeoutMs: settings.criTotalTimeoutMs,
    logLines: settings.logLength,
    includeProcessFiles: settings.includeProcInfo ? PROCESS_FILES : [],
    procRoot: settings.procRoot,
    signal: stop.signal,
  })
  return {
    identified: search.identified,
    result: search.result,
    close: async () => {
      await search.close()
      await runtime?.then(closeRuntime, () => {})
    },
  }

  function open(): Promise<Runtime> {
    return openRuntime({
      client: settings.criClient,
      callTimeoutMs: settings.criCallTimeoutMs,
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
