import { lstat, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatDumpInfo, writeRecord } from '@core-dump-handler/bundle'
import * as v from 'valibot'
import { codeOf } from '../error.ts'
import { agentVersion } from '../version.ts'

/** A counter of the composer: key, seconds of the window, number of the window since 1970. */
const COUNTER = /^([\w-]{1,80})-(\d{1,5})-(\d{1,12})$/
/** A composer that has chosen a window may count in it a little later. */
const SLACK_MS = 60_000
const FACTS = v.object({
  scope: v.string(),
  exe: v.string(),
  comm: v.string(),
  signal: v.string(),
  signalName: v.string(),
  hostname: v.string(),
  limit: v.number(),
})

export interface RecordSuppressedOptions {
  readonly hostDir: string
  readonly coreDir: string
  readonly nodeName: string
  /** Whether windows that are not over are recorded, too. @default false */
  readonly all?: boolean
  /** Called with the number of crashes that have no record of their own. */
  readonly onSuppressed: (crashes: number) => void
}

/** Makes a record of the crashes that RATE_CRASHES suppressed in each window that is over. */
export async function recordSuppressed(options: RecordSuppressedOptions): Promise<void> {
  const directory = join(options.hostDir, 'rate')
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    const [, key, seconds, index] = COUNTER.exec(name) ?? []
    if (key === undefined) {
      if (name.startsWith('.')) await removeLeftOver(join(directory, name))
      continue
    }
    const endMs = (Number(index) + 1) * Number(seconds) * 1000
    if (!options.all && Date.now() < endMs + SLACK_MS) continue
    await closeWindow(join(directory, name), { ...options, key, endMs, seconds: Number(seconds) })
    await rm(join(directory, name), { force: true })
    await rm(join(directory, `${name}.json`), { force: true })
  }
}

/** Of a composer that was killed before it could give its file the final name. */
async function removeLeftOver(part: string): Promise<void> {
  const stats = await lstat(part).catch(() => undefined)
  if (stats !== undefined && Date.now() - stats.mtimeMs > SLACK_MS) await rm(part, { force: true })
}

interface Window extends RecordSuppressedOptions {
  readonly key: string
  readonly endMs: number
  readonly seconds: number
}

async function closeWindow(file: string, window: Window): Promise<void> {
  const { key, endMs, seconds, coreDir, nodeName } = window
  const text = await readFile(`${file}.json`, 'utf8').catch(() => undefined)
  const { success, output } = v.safeParse(FACTS, text && parseJson(text))
  // no crash was over the limit
  if (!success) return
  const { size: crashes } = await stat(file)
  // the first suppressed crash has a record of its own, with its pod
  const suppressed = crashes - output.limit - 1
  if (suppressed <= 0) return
  const begin = new Date(endMs - seconds * 1000).toISOString()
  const reason = `${suppressed} more crashes of this workload were not kept from ${begin} for ${seconds} s: RATE_CRASHES is ${output.limit}`
  const { exe, comm, signal, signalName, scope } = output
  await writeRecord(coreDir, {
    name: `${key}-${endMs / 1000}-suppressed`,
    reason,
    reasonCode: 'RATE_WINDOW',
    dumpInfo: formatDumpInfo({
      uuid: '',
      dump_file: '',
      real_pid: '',
      timestamp: String(endMs / 1000),
      hostname: output.hostname,
      exe: comm,
      signal,
      node_hostname: nodeName,
      path: exe.replaceAll('/', '!'),
    }),
    manifest: {
      composer: agentVersion(),
      crash: { time: new Date(endMs).toISOString(), signal: Number(signal), signalName, comm, exe },
      identity: {
        status: scope === 'host' ? 'host' : 'unverified',
        reason: 'the record of the first suppressed crash names its pod',
        ...(scope.includes('-') && { podUid: scope }),
      },
      timings: { heldMs: 0, lookupMs: 0, totalMs: 0 },
      problems: [{ code: 'RATE_WINDOW', message: reason }],
    },
  })
  window.onSuppressed(suppressed)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
