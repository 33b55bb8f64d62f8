import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { corePattern } from '@core-dump-handler/composer'
import { readSysctl } from '@core-dump-handler/sysctl'
import { openDestination } from '@core-dump-handler/upload'
import type { CommandContext } from '../context.ts'
import { messageOf } from '../error.ts'
import { redactor, visible } from '../log/redact.ts'
import { readHistory } from '../monitoring/crash-history.ts'
import { exists, nodeFiles } from '../node/node-files.ts'
import { lockNode } from '../node/lock-node.ts'
import { CORE_PATTERN, hostDirOf, socketPattern, sysctlValues } from '../node/sysctls.ts'
import { countDrops } from '../kernel-log/watch-drops.ts'
import type { AgentSettings } from '../settings/read-settings.ts'

const READYZ_TIMEOUT_MS = 5000
const MAX_CRASH_LINES = 10
/** As in Events. */
const SHORT_FINGERPRINT = 8

/** One line that `status` prints. */
interface StatusLine {
  readonly ok: boolean
  readonly text: string
}

/** Prints one line for each part of the set-up; exit code 1 when one is not as it should be. */
export async function status({ settings, signal }: CommandContext): Promise<number> {
  const lines = await statusLines(settings, signal)
  const redact = redactor(settings.secrets)
  for (const { ok, text } of lines) {
    process.stdout.write(`${ok ? 'ok    ' : 'not ok'}  ${visible(redact(text))}\n`)
  }
  return lines.every(({ ok }) => ok) ? 0 : 1
}

/** What is set up on this node and which bundles wait, each line true at the moment it is made. */
async function statusLines(
  settings: AgentSettings,
  signal: AbortSignal,
): Promise<readonly StatusLine[]> {
  const { composer, composerEnv } = nodeFiles(settings.hostDir)
  const readiness = await readinessLines(settings, signal)
  return [
    await agentLine(settings),
    await fileLine('composer', composer),
    await fileLine('settings', composerEnv),
    ...(await sysctlLines(settings)),
    kernelLine(settings.hostDir),
    ...crashLines(settings.hostDir),
    await spoolLine(settings.coreDir),
    await diskLine(settings),
    ...readiness,
    ...(readiness.some(({ text }) => text.startsWith('readiness of destination'))
      ? []
      : [await destinationLine(settings, signal)]),
  ]
}

/** The checks of the running agent, so that both give one answer; none where it cannot be asked. */
async function readinessLines(
  { healthPort }: AgentSettings,
  signal: AbortSignal,
): Promise<StatusLine[]> {
  if (healthPort === 0) return []
  try {
    const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(READYZ_TIMEOUT_MS)]),
    })
    if (answer.status !== 200 && answer.status !== 503) return []
    const checks = [...(await answer.text()).matchAll(/^(ok|not ok) (\w+: .*)$/gm)]
    return checks.map(([, ok, text = '']) => ({ ok: ok === 'ok', text: `readiness of ${text}` }))
  } catch {
    return [] // no agent runs, or not in this network namespace
  }
}

async function agentLine(settings: AgentSettings): Promise<StatusLine> {
  const { hostDir } = settings
  if (!(await exists(hostDir))) return { ok: false, text: `agent: ${hostDir} is missing` }
  const lock = await lockNode(settings)
  if (lock.outcome === 'unknown') {
    return { ok: true, text: `agent: cannot know whether it runs: ${lock.reason}` }
  }
  if (lock.outcome === 'locked') {
    lock.release()
    return { ok: false, text: `agent: not running for ${hostDir}` }
  }
  const ok = lock.path === hostDir
  const other = `not running for ${hostDir}; another agent has locked the core pattern`
  return { ok, text: `agent: ${ok ? `running for ${hostDir}` : other}` }
}

async function fileLine(what: string, path: string): Promise<StatusLine> {
  const ok = await exists(path)
  return { ok, text: `${what}: ${path}${ok ? '' : ' is missing'}` }
}

async function sysctlLines(settings: AgentSettings): Promise<StatusLine[]> {
  const lines: StatusLine[] = []
  const values = sysctlValues(settings, corePattern(settings.hostDir).pattern)
  for (const [key, expected] of Object.entries(values)) {
    try {
      const found = await readSysctl(key, { root: settings.sysctlRoot })
      const isReceiver = key === CORE_PATTERN && found === socketPattern(settings.hostDir)
      const isNodes =
        settings.kernelManagedBy === 'node' &&
        (key !== CORE_PATTERN || hostDirOf(found) === settings.hostDir)
      const ok = found === expected || isReceiver || isNodes
      lines.push({ ok, text: `${key}: ${found}${ok ? '' : ` (expected: ${expected})`}` })
    } catch (error) {
      lines.push({ ok: false, text: `${key}: ${messageOf(error)}` })
    }
  }
  return lines
}

/** Earlier drops are printed, and do not change the exit code. */
function kernelLine(hostDir: string): StatusLine {
  try {
    const { CORE_PIPE_LIMIT: over, PIPE_FAILED, SOCKET_FAILED } = countDrops(hostDir)
    const failed = PIPE_FAILED + SOCKET_FAILED
    const text = `kernel: dropped ${over} cores over core_pipe_limit and ${failed} because no handler could be reached, in the part of its log that is left`
    return { ok: true, text }
  } catch (error) {
    return {
      ok: true,
      text: `kernel: the cores that it dropped are not known here: ${messageOf(error)}`,
    }
  }
}

/** The last crashes of this node, the latest last. */
function crashLines(hostDir: string): StatusLine[] {
  const { crashes, fingerprints } = readHistory(nodeFiles(hostDir).crashes)
  if (crashes.length === 0) return [{ ok: true, text: 'crashes: none was seen on this node' }]
  const counts = new Map(fingerprints)
  return crashes.slice(-MAX_CRASH_LINES).map((crash) => {
    const { time, pod, identity, program, signal, topFrame, fingerprint, url } = crash
    const owner =
      pod === undefined ? identity : `${pod}${identity === 'verified' ? '' : ' (unverified)'}`
    const key = fingerprint && `[${fingerprint.slice(0, SHORT_FINGERPRINT)}]`
    const times = fingerprint === undefined ? 0 : (counts.get(fingerprint) ?? 1)
    const facts = [time, owner, program, signal, topFrame && `in ${topFrame}`, key]
    const often = times > 1 ? `, seen ${times} times` : ''
    const text = `crash: ${facts.filter(Boolean).join(' ')}${often}: ${url ?? 'not uploaded yet'}`
    return { ok: true, text }
  })
}

async function spoolLine(coreDir: string): Promise<StatusLine> {
  let files = 0
  let bytes = 0
  let oldestMs = Infinity
  try {
    for (const name of await readdir(coreDir)) {
      if (name.startsWith('.') || !name.endsWith('.zip')) continue
      // links are not followed; a bundle that was uploaded meanwhile does not count
      const found = await lstat(join(coreDir, name)).catch(() => undefined)
      if (found?.isFile() !== true) continue
      const { size, mtimeMs } = found
      files++
      bytes += size
      oldestMs = Math.min(oldestMs, mtimeMs)
    }
  } catch (error) {
    return { ok: false, text: `waiting: ${messageOf(error)}` }
  }
  const age = files > 0 ? `, the oldest for ${Math.round((Date.now() - oldestMs) / 1000)} s` : ''
  return { ok: true, text: `waiting: ${files} bundles, ${bytes} bytes in ${coreDir}${age}` }
}

async function diskLine({ coreDir, minFreeBytes }: AgentSettings): Promise<StatusLine> {
  try {
    const { bavail, bsize } = await statfs(coreDir)
    const free = bavail * bsize
    const ok = free >= minFreeBytes
    const why = ok ? '' : `: below MIN_FREE_BYTES no core is written (${minFreeBytes})`
    return { ok, text: `disk: ${free} bytes free in ${coreDir}${why}` }
  } catch (error) {
    return { ok: false, text: `disk: ${messageOf(error)}` }
  }
}

async function destinationLine(
  { destination: where, trigger }: AgentSettings,
  signal: AbortSignal,
): Promise<StatusLine> {
  if (where === undefined) {
    return { ok: trigger.kind === 'none', text: 'destination: none, bundles stay on the node' }
  }
  try {
    const destination = openDestination(where.url, { s3: where.s3 })
    try {
      await destination.check({ signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]) })
    } finally {
      await destination.close()
    }
    return { ok: true, text: `destination: ${where.url} answers` }
  } catch (error) {
    return { ok: false, text: `destination: ${messageOf(error)}` }
  }
}
