import { setImmediate } from 'node:timers'
import { ENTRY, type BundleManifest } from '@core-dump-handler/bundle'
import {
  CrashAnalysis,
  createMinicore,
  createReport,
  fingerprintOf,
  formatReport,
  topFrame,
  type CoreFacts,
} from '@core-dump-handler/report'
import type { HeldProcess } from './held-process.ts'
import { findLocalFiles } from './local-files.ts'
import type { StackCapture } from './stack-capture.ts'

/** What a report is made of: what was kept of a core. */
export type CapturedCore = Pick<StackCapture, 'facts' | 'memory'>

/** `full`: all threads, `crash`: the one that crashed, `notes`: registers and modules. */
export type ReportLevel = 'full' | 'crash' | 'notes'

export interface ReportOptions {
  readonly level: ReportLevel
  /** Why it is not all that the settings allow, in sentences. */
  readonly skipped: readonly string[]
  readonly minicore: boolean
}

/** The entries of a report, and what the manifest has of it. */
export interface CrashReport {
  /** Ends of names, and contents. */
  readonly entries: readonly (readonly [suffix: string, data: Buffer | string])[]
  readonly manifest: Pick<BundleManifest, 'fingerprint' | 'topFrame' | 'reportSkipped'>
}

const BUDGET_MS = 2000
/** While the process is held. */
const KEY_BUDGET_MS = 500
/** Of those in the manifest; the report has all. */
const MAX_SENTENCES = 20
const MAX_SENTENCE = 500

/** Unwinds, names and formats; at most 2 s, in steps between which other work goes on. */
export async function analyzeCrash(
  capture: CapturedCore,
  held: HeldProcess | undefined,
  { level, skipped, minicore: wantsMinicore }: ReportOptions,
): Promise<CrashReport> {
  const { facts } = capture
  if (facts === undefined || facts.threads.length === 0) {
    const why = 'report: the core has no registers that could be read'
    return { entries: [], manifest: { reportSkipped: [why] } }
  }
  const analysis = await startAnalysis(facts, capture, held, BUDGET_MS)
  if (level !== 'notes') {
    analysis.unwindCrashingThread()
    await otherWork()
  }
  if (level === 'full') {
    analysis.unwindAllThreads()
    await otherWork()
  }
  if (level !== 'notes') {
    analysis.nameFrames()
    await otherWork()
  }
  const report = createReport(analysis, skipped)
  const entries: [string, Buffer | string][] = [
    [ENTRY.report, JSON.stringify(report)],
    [ENTRY.reportText, formatReport(report)],
  ]
  await otherWork()
  const minicore = wantsMinicore && level !== 'notes' ? createMinicore(analysis) : undefined
  if (minicore !== undefined) entries.push([ENTRY.minicore, minicore])
  const { id, family } = report.fingerprint
  const first = topFrame(report)
  const left = report.skipped.slice(0, MAX_SENTENCES).map((text) => text.slice(0, MAX_SENTENCE))
  return {
    entries,
    manifest: {
      ...(level !== 'notes' && { fingerprint: { id, family } }),
      ...(first !== undefined && { topFrame: first }),
      ...(left.length > 0 && { reportSkipped: left }),
    },
  }
}

/**
 * The `id` of the crash's fingerprint, in 500 ms and before the report is made. Undefined where no frame is
 * sure, or where there was no time for the names by which frames are left out.
 */
export async function findFingerprint(
  capture: CapturedCore,
  held: HeldProcess | undefined,
): Promise<string | undefined> {
  const { facts } = capture
  if (facts === undefined || facts.threads.length === 0) return undefined
  const analysis = await startAnalysis(facts, capture, held, KEY_BUDGET_MS)
  analysis.unwindCrashingThread()
  analysis.nameFrames()
  const { id, quality } = fingerprintOf(analysis)
  return analysis.budget.isSpent || quality === 'none' ? undefined : id
}

async function startAnalysis(
  facts: CoreFacts,
  { memory }: CapturedCore,
  held: HeldProcess | undefined,
  timeoutMs: number,
): Promise<CrashAnalysis> {
  const isLocal = await findLocalFiles(held)
  return new CrashAnalysis({
    facts,
    memory,
    openModule: (_, { start }) => {
      const file = held?.fileAt(start)
      return file !== undefined && isLocal(file) ? file.fd : undefined
    },
    budget: { timeoutMs },
  })
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
