import { objectsAt } from '../json.ts'
import { createOpenLogs } from '../log/open-container-log.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { before } from '../time-limit.ts'
import { withoutUndefined } from '../without-undefined.ts'
import { detailsOf, psInfoOf } from './containers.ts'
import {
  addError,
  type Context,
  type Found,
  type RuntimeContext,
  startDeadline,
  unverified,
} from './context.ts'
import { findByHostName } from './find-by-host-name.ts'
import { findByProcess } from './find-by-process.ts'
import { createInitFiles } from './init-files.ts'
import { sandboxStatusOf } from './sandbox.ts'
import type { Identified, Lookup, LookupOptions, LookupResult, LookupSubject } from './types.ts'

/**
 * Find out whose crash it was, and describe its pod. Starts at once and never throws: a runtime that
 * is missing, fails or hangs costs its part of the result, within the limits, and adds a warning.
 * Without a runtime only the process itself is looked at.
 */
export function startLookup(
  subject: LookupSubject,
  runtime?: Runtime | Promise<Runtime>,
  options: LookupOptions = {},
): Lookup {
  const deadline = startDeadline(options.totalTimeoutMs ?? 15_000, options.signal)
  const { logLines = 500, includeProcessFiles = [], procRoot = '/proc' } = options
  const context: Context = {
    options: { logLines, includeProcessFiles, procRoot },
    deadline,
    logs: createOpenLogs(options.maxLogBytes ?? 1 << 20, deadline.signal),
    initFiles: createInitFiles(includeProcessFiles, procRoot),
    warnings: [],
  }
  const opening =
    runtime &&
    before(deadline.signal, Promise.resolve(runtime)).then((opened) => ({
      ...context,
      runtime: opened,
    }))
  // the steps that await a runtime that cannot be opened report it
  opening?.catch(() => {})
  const found = find(subject, context, opening).catch((error: unknown) =>
    unverified(addError(context, error).message),
  )
  const result = describe(found, subject, context, opening).finally(() => deadline.stop())

  return {
    identified: found.then(identifiedOf),
    result,
    close: async () => {
      deadline.cancel()
      await result
      await context.logs.close()
    },
  }
}

async function find(
  { snapshot, hostname = '', crash }: LookupSubject,
  context: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<Found> {
  return snapshot === undefined
    ? findByHostName(hostname, context, opening)
    : findByProcess(snapshot, crash, context, opening)
}

/** The second half: the pod and its containers, where the first half found one. */
async function describe(
  finding: Promise<Found>,
  { snapshot }: LookupSubject,
  { warnings }: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<LookupResult> {
  const found = await finding
  const identified = { ...identifiedOf(found), warnings }
  const isFound = found.sandboxId !== undefined || found.container !== undefined
  if (opening === undefined || !isFound) return { ...identified, containers: [] }
  const context = await opening
  const [sandbox, psInfo] = await Promise.all([
    // for a container its sandbox was called for already, perhaps without an answer
    found.container === undefined && found.sandbox === undefined
      ? sandboxStatusOf(found.sandboxId, context)
      : found.sandbox,
    psInfoOf(found, context),
  ])
  const items = objectsAt(psInfo, 'containers')
  return {
    ...identified,
    ...withoutUndefined({ runtimeInfo: sandbox && { ...sandbox }, psInfo }),
    containers: await Promise.all(items.map((item) => detailsOf(item, found, snapshot, context))),
  }
}

function identifiedOf({ identity, podInfo }: Found): Identified {
  return { identity, ...withoutUndefined({ podInfo }) }
}
