import type { Report, ReportFrame, ReportGroup } from './report-type.ts'
import { shorten } from './create-report.ts'
import {
  programName,
  significantFrames,
  type FingerprintFrame,
} from '../fingerprint/fingerprint.ts'

const REGISTERS_IN_A_LINE = 4
const THREADS_IN_A_LINE = 12
const MAX_TOP_FRAME_CHARACTERS = 256

/** The report for a person, in lines; everything that the crashed program chose is escaped. */
export function formatReport(report: Report): string {
  const { crash, fingerprint, crashingThread, groups, modules, skipped } = report
  const threads = groups.reduce((sum, group) => sum + group.threads.length, 0)
  const lines = [
    headline(report),
    field('program', `${crash.exe ?? 'unknown'}  build-id ${crash.exeBuildId ?? 'unknown'}`),
    field(
      'fingerprint',
      `${fingerprint.id}  family ${fingerprint.family} (${fingerprint.quality})`,
    ),
    field('threads', String(threads + (crashingThread ? 1 : 0))),
    ...skipped.map((sentence) => field('left out', sentence)),
    '',
  ]
  if (crashingThread) {
    lines.push(`Thread ${crashingThread.tid}, which crashed:`)
    lines.push(...frameLines(crashingThread.frames, report), '', 'Registers:')
    lines.push(...registerLines(crashingThread.registers), '')
  }
  for (const group of groups) {
    lines.push(groupTitle(group), ...frameLines(group.frames, report), '')
  }
  lines.push('Modules:')
  for (const { path, buildId, start, problem } of modules) {
    const what = `${buildId ?? 'no build-id'}${problem === undefined ? '' : `; ${problem}`}`
    lines.push(`${start.padEnd(18)} ${path}  ${what}`)
  }
  return `${lines.map(escapeControls).join('\n')}\n`
}

/**
 * The first frame that a person would look at, as `crash_here (web)` or `libc.so.6+0x3b1a`: not how the
 * program died, nor what was guessed. Undefined when there is none.
 */
export function topFrame({ crashingThread, modules }: Report): string | undefined {
  const frames = (crashingThread?.frames ?? []).map((frame) => keyFrame(frame, modules))
  const [first] = significantFrames(frames)
  if (first === undefined) return undefined
  const { module, symbol, vaddr } = first
  const file = module === undefined ? undefined : programName(module)
  const place = `${file ?? 'no file'}${vaddr === undefined ? '' : `+0x${vaddr.toString(16)}`}`
  return shorten(
    escapeControls(symbol === undefined ? place : `${symbol} (${file ?? 'no file'})`),
    MAX_TOP_FRAME_CHARACTERS,
  )
}

function headline({ crash, fingerprint }: Report): string {
  const signal =
    crash.signalName ?? (crash.signal === undefined ? 'a signal' : `signal ${crash.signal}`)
  const code = crash.codeName ?? (crash.code === undefined ? undefined : `code ${crash.code}`)
  return [
    `${crash.comm ?? 'A program'} crashed: ${signal}`,
    code === undefined ? '' : ` (${code})`,
    crash.faultAddress === undefined ? '' : ` at address ${crash.faultAddress}`,
    crash.senderPid === undefined ? '' : `, sent by pid ${crash.senderPid}`,
    fingerprint.basis.some((line) => line.endsWith('stack overflow')) ? ': stack overflow' : '',
  ].join('')
}

function field(name: string, value: string): string {
  return `${name.padEnd(12)}${value}`
}

function frameLines(frames: readonly ReportFrame[], { modules }: Report): string[] {
  if (frames.length === 0) return ['no frames']
  return frames.map(({ pc, module, offset, symbol, plus, trust }, index) => {
    const path = modules[module ?? -1]?.path
    const name = symbol === undefined ? '??' : `${symbol}+0x${(plus ?? 0).toString(16)}`
    const where =
      path === undefined
        ? `${pc}  no file: made at run time, or no code`
        : `${base(path)}+${offset ?? '?'}`
    return `#${String(index).padEnd(3)} ${name}  ${where}${trust === 'scan' ? '  (guessed)' : ''}`
  })
}

function base(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function registerLines(registers: Readonly<Record<string, string>>): string[] {
  const cells = Object.entries(registers).map(
    ([name, value]) => `${name.padStart(6)} ${value.padEnd(18)}`,
  )
  const lines: string[] = []
  for (let at = 0; at < cells.length; at += REGISTERS_IN_A_LINE) {
    lines.push(
      cells
        .slice(at, at + REGISTERS_IN_A_LINE)
        .join(' ')
        .trimEnd(),
    )
  }
  return lines
}

function groupTitle({ threads }: ReportGroup): string {
  const listed = threads.slice(0, THREADS_IN_A_LINE).join(', ')
  const more = threads.length > THREADS_IN_A_LINE ? ', …' : ''
  return threads.length === 1
    ? `Thread ${listed}:`
    : `${threads.length} threads with the same stack: ${listed}${more}`
}

function keyFrame(
  { module, offset, symbol, trust }: ReportFrame,
  modules: Report['modules'],
): FingerprintFrame {
  const path = modules[module ?? -1]?.path
  return {
    ...(path !== undefined && { module: path }),
    ...(offset !== undefined && { vaddr: Number(offset) }),
    ...(symbol !== undefined && { symbol }),
    trust,
  }
}

/** No control byte, no line separator, no change of direction: the crashed program chose the text, not its lines. */
function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
