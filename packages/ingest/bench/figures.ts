import { growthOf } from './growth.ts'
import type { Result } from './summarize.ts'

/** The figures that have budgets, by name: `ingest KIND MIB VARIANT WHAT`; without MIB for kinds of one size. */
export function figuresOf(results: readonly Result[]): Record<string, number> {
  const figures: Record<string, number> = {}
  for (const { name, summaries } of results) {
    for (const each of summaries) {
      const put = (what: string, value: number | undefined): void => {
        if (value !== undefined) figures[`ingest ${name} ${each.name} ${what}`] = value
      }
      put('x cat', each.timesCat)
      put('x pigz', each.timesPigz)
      put('CPU x pigz', each.cpuTimesPigz)
      const memory = (what: string, value: number): void => {
        const most = `ingest ${each.name} ${what}`
        figures[most] = Math.max(figures[most] ?? 0, value)
      }
      memory('RSS MiB', each.rssMib)
      memory('anon MiB', each.rssAnonMib)
    }
  }
  for (const [kind, ofKind] of Map.groupBy(results, (each) => each.kind)) {
    if (ofKind.length < 2) continue
    for (const { name: variant, spreadWithoutStart } of growthOf(ofKind)) {
      figures[`ingest ${kind} ${variant} growth`] = spreadWithoutStart
    }
  }
  return figures
}
