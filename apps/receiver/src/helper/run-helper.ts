import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createLimiter,
  errorMessage,
  loadLookup,
  type CaptureContext,
  Warnings,
} from '@core-dump-handler/capture'
import { createBlockingCalls, type Lookup, type LookupResult } from '@core-dump-handler/cri'
import type { HelperKind } from './helper.ts'
import {
  isRequest,
  type ProcessFile,
  type Reply,
  type ReportRequest,
  type Request,
} from './messages.ts'

type Ask<T extends Request['type']> = Extract<Request, { type: T }>

interface OpenLookup {
  readonly lookup: Lookup
  result?: LookupResult
}

type AnswerReport = (request: ReportRequest) => Promise<Reply | undefined>

const LOOK_MS = 500
/** Calls that are still running at so many looks in a row, without any answer meanwhile, hang. */
const STUCK_AFTER_LOOKS = 3
/** Answers so far: a helper that is only busy has more of them at each look. */
let answers = 0

/**
 * The helper of a receiver: it reads what may block for ever, such as logs on a dead mount or the
 * memory of a hostile process, and can be killed at any time. Resolves when the receiver has ended.
 */
export async function runHelper(kind: HelperKind): Promise<number> {
  const lookups = new Map<number, OpenLookup>()
  const answerReport = kind === 'reports' ? await loadReports() : unexpected
  process.on('message', (message: unknown) => {
    if (!isRequest(message)) return
    void answer(message, lookups, answerReport).catch((error: unknown) => {
      if ('id' in message) {
        send({ type: 'failed', id: message.id, message: errorMessage(error) })
      }
    })
  })
  reportHangs()
  send({ type: 'ready', id: 0 })
  await new Promise((resolve) => process.once('disconnect', resolve))
  // not process.exit: it would wait for a thread that hangs
  process.kill(process.pid, 'SIGKILL')
  return 0
}

async function answer(
  request: Request,
  lookups: Map<number, OpenLookup>,
  answerReport: AnswerReport,
): Promise<void> {
  switch (request.type) {
    case 'process':
      return send(await readProcess(request))
    case 'lookup':
      return lookUp(request, lookups)
    case 'log':
      return sendLog(request, lookups)
    case 'close': {
      const open = lookups.get(request.lookup)
      lookups.delete(request.lookup)
      await open?.lookup.close()
      return
    }
    default: {
      const reply = await answerReport(request)
      if (reply !== undefined) send(reply)
    }
  }
}

/** Before the first crash: its process is held while it waits for an answer. */
async function loadReports(): Promise<AnswerReport> {
  const { HeldProcesses } = await import('./held-processes.ts')
  const held = new HeldProcesses(() => send({ type: 'stuck', id: 0 }))
  return (request) => held.answer(request)
}

function unexpected({ type }: ReportRequest): Promise<undefined> {
  return Promise.reject(new Error(`This helper makes no reports: \`${type}\``))
}

async function readProcess(request: Ask<'process'>): Promise<Reply> {
  const { id, directory, files: names, maxFileBytes, wantsHostname } = request
  const files = new Map<string, ProcessFile>()
  const errors: string[] = []
  let hostname = ''
  for (const name of new Set([...names, ...(wantsHostname ? ['environ'] : [])])) {
    try {
      const bytes = await readFile(join(directory, name))
      if (name === 'environ') {
        hostname = /(?:^|\0)HOSTNAME=([^\0]{1,64})(?:\0|$)/.exec(bytes.toString())?.[1] ?? ''
      }
      if (!names.includes(name)) continue
      const truncated = bytes.length > maxFileBytes
      files.set(name, { bytes: bytes.subarray(0, maxFileBytes), truncated })
    } catch (error) {
      errors.push(errorMessage(error))
    }
  }
  return { type: 'process', id, files, hostname, errors }
}

async function lookUp(
  { id, subject, settings, home, factor }: Ask<'lookup'>,
  lookups: Map<number, OpenLookup>,
): Promise<void> {
  const { runLookup } = await loadLookup()
  const context: CaptureContext = {
    settings,
    home,
    directory: '/',
    version: '',
    warnings: new Warnings(),
    log: { write: () => {} },
    stop: { signal: AbortSignal.timeout(settings.timeoutMs), cause: undefined },
    limiter: createLimiter(),
  }
  // its own: a log that never answers costs no other crash its log
  const lookup = runLookup(subject, context, { factor, blockingCalls: createBlockingCalls() })
  const open: OpenLookup = { lookup }
  lookups.set(id, open)
  send({ type: 'identified', id, identified: await lookup.identified })
  const result = await lookup.result
  open.result = result
  // a function cannot be sent
  const containers = result.containers.map((details) => ({ ...details, readLog: undefined }))
  send({ type: 'result', id, result: { ...result, containers } })
}

async function sendLog(
  { id, lookup, container }: Ask<'log'>,
  lookups: Map<number, OpenLookup>,
): Promise<void> {
  const details = lookups.get(lookup)?.result?.containers[container]
  if (details === undefined) throw new Error('the look-up is closed')
  send({ type: 'log', id, ...(await details.readLog()) })
}

/** Tells the receiver when a thread of this process hangs, so that it asks another helper. */
function reportHangs(): void {
  let looks = 0
  let answersBefore = 0
  const timer = setInterval(() => {
    const reading = process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
    looks = reading && answers === answersBefore ? looks + 1 : 0
    answersBefore = answers
    if (looks === STUCK_AFTER_LOOKS) send({ type: 'stuck', id: 0 })
  }, LOOK_MS)
  timer.unref()
}

function send(reply: Reply): void {
  answers++
  if (process.connected) process.send?.(reply)
}
