import { warning } from '../error.ts'
import { type JsonObject, objectsAt, textAt } from '../json.ts'
import { createOpenLogs } from '../log/open-container-log.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { before, blockingCalls } from '../blocking-calls.ts'
import { withoutUndefined } from '../without-undefined.ts'
import { detailsOf, psInfoOf } from './containers.ts'
import {
  addError,
  addWarning,
  type Context,
  type Found,
  type RuntimeContext,
  startDeadline,
  unverified,
} from './context.ts'
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
  const calls = options.blockingCalls ?? blockingCalls
  const context: Context = {
    options: { logLines, includeProcessFiles, procRoot },
    deadline,
    logs: createOpenLogs(options.maxLogBytes ?? 1 << 20, deadline.signal, calls),
    initFiles: createInitFiles(includeProcessFiles, procRoot, calls),
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

const GUESS = 'looked up by host name, which any container can set, not by process'

/** As IBM core-dump-handler 9: the pod whose name is the host name, for a caller without a host pid. */
async function findByHostName(
  hostname: string,
  context: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<Found> {
  if (opening === undefined) return unverified('the container runtime was not asked')
  // an empty name would match every pod
  if (hostname === '') return unverified('neither a process nor a host name is known')
  try {
    const { runtime, deadline } = await opening
    const answer = await runtime.listPodSandboxes({ name: hostname }, deadline)
    const pods = objectsAt(answer, 'items')
    const pod = pods.find((one) => textAt(one, 'state') === 'SANDBOX_READY') ?? pods[0]
    if (pod === undefined) {
      const message = `\`${runtime.endpoint}\` has no pod with exactly the host name \`${hostname}\``
      addWarning(context, warning('POD_NOT_FOUND', message))
      return unverified(message)
    }
    const known = withoutUndefined({
      pod: textAt(pod, 'metadata', 'name') ?? hostname,
      namespace: textAt(pod, 'metadata', 'namespace'),
      podUid: textAt(pod, 'metadata', 'uid'),
    })
    return {
      ...unverified(`${GUESS}${ambiguity(pods)}`, known),
      ...withoutUndefined({ sandboxId: textAt(pod, 'id') }),
      podInfo: pod,
    }
  } catch (error) {
    return unverified(addError(context, error).message)
  }
}

function ambiguity(pods: readonly JsonObject[]): string {
  const uids = new Set(pods.map((pod) => textAt(pod, 'metadata', 'uid')))
  if (uids.size < 2) return ''
  const names = pods.map(
    (pod) => `${textAt(pod, 'metadata', 'namespace')}/${textAt(pod, 'metadata', 'name')}`,
  )
  const list = [...new Set(names)].join(', ')
  return `; ${uids.size} pods have this name (${list}), the newest that is ready was taken`
}
