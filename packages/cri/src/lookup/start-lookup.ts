import { objectsAt } from '../json.ts'
import { createMemoryReader } from '../process/memory-reader.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { byHostName } from './find-by-host-name.ts'
import { byProcess } from './find-by-process.ts'
import { psInfoOf } from './containers.ts'
import { type Asking, complainOf, type Context, type Found, unverified } from './context.ts'
import { before, startDeadline } from '../time-limit.ts'
import { detailsOf } from './details.ts'
import { createOpenLogs } from './container-logs.ts'
import { sandboxStatusOf } from './sandbox.ts'
import type { Identified, LookUp, LookUpOptions, LookUpResult, LookUpSubject } from './types.ts'

/**
 * Find out whose crash it was and what was around it. Starts at once and never throws: a runtime
 * that is missing, fails or hangs costs its part of the answer, within the limits, and leaves a
 * problem. Without a runtime nobody is asked.
 */
export function lookUp(
  subject: LookUpSubject,
  runtime?: Runtime | Promise<Runtime>,
  options: LookUpOptions = {},
): LookUp {
  const context: Context = {
    options: {
      logLines: options.logLines ?? 500,
      includeProcessFiles: options.includeProcessFiles ?? [],
      procRoot: options.procRoot ?? '/proc',
    },
    deadline: startDeadline(options.totalTimeoutMs ?? 15_000, options.signal),
    logs: createOpenLogs(options.maxLogBytes ?? 1 << 20),
    memory: createMemoryReader(),
    problems: [],
  }
  const { deadline } = context
  const asking =
    runtime &&
    before(deadline.signal, Promise.resolve(runtime)).then((ready) => ({
      ...context,
      runtime: ready,
    }))
  // a runtime that could not be opened is told by whoever asks it
  asking?.catch(() => {})
  const found = find(subject, context, asking).catch((error: unknown) =>
    unverified(complainOf(context, error).message),
  )
  const result = around(found, subject, context, asking).finally(() => deadline.settle())

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
  { snapshot, hostname = '', crash }: LookUpSubject,
  context: Context,
  asking: Promise<Asking> | undefined,
): Promise<Found> {
  return snapshot === undefined
    ? byHostName(hostname, context, asking)
    : byProcess(snapshot, crash, context, asking)
}

/** The second half: what was around the process, as far as the first half found its pod. */
async function around(
  finding: Promise<Found>,
  { snapshot }: LookUpSubject,
  context: Context,
  opening: Promise<Asking> | undefined,
): Promise<LookUpResult> {
  const found = await finding
  const nothing = { ...identifiedOf(found), containers: [], problems: context.problems }
  const isFound = found.sandboxId !== undefined || found.container !== undefined
  if (opening === undefined || !isFound) return nothing
  const asking = await opening
  const [sandbox, psInfo] = await Promise.all([
    // asked for already, be it in vain, where a container led to it
    found.container === undefined && found.sandbox === undefined
      ? sandboxStatusOf(found.sandboxId, asking)
      : found.sandbox,
    psInfoOf(found, asking),
  ])
  const items = objectsAt(psInfo, 'containers')
  return {
    ...nothing,
    ...(sandbox !== undefined && { runtimeInfo: { ...sandbox } }),
    ...(psInfo !== undefined && { psInfo }),
    containers: await Promise.all(items.map((item) => detailsOf(item, found, snapshot, asking))),
  }
}

function identifiedOf({ identity, podInfo }: Found): Identified {
  return podInfo === undefined ? { identity } : { identity, podInfo }
}
