import { programName } from '../fingerprint/dying.ts'
import { significantFrames, type FingerprintFrame } from '../fingerprint/fingerprint.ts'
import type { Report, ReportFrame } from './report-type.ts'
import { escapeControls, shorten } from './text.ts'

const MAX_CHARACTERS = 256

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
    MAX_CHARACTERS,
  )
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
