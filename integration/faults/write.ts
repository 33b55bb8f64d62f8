import { writeFileSync } from 'node:fs'
import { faultMatrix, SECTIONS } from './matrix.ts'
import { readReport } from './read-report.ts'
import { SEEN_FILE, type Seen, seenTests } from './seen.ts'

// node integration/faults/write.ts [REPORT...]: reports of `npm test -- --report DIR`
const before = seenTests()
const reports = process.argv.slice(2).map(readReport)
const seen: Record<string, Seen> = {}
const tests = SECTIONS.flatMap(({ rows }) => rows).flatMap((row) => row.tests)
for (const test of new Set(tests.toSorted())) {
  const last = reports.map((report) => report(test)).findLast((run) => run !== undefined)
  const known = last ?? before[test]
  if (known === undefined) process.stderr.write(`never seen to run: ${test}\n`)
  else seen[test] = known
}
writeFileSync(SEEN_FILE, `${JSON.stringify(seen, undefined, 2)}\n`)
writeFileSync(new URL('../faults.md', import.meta.url), faultMatrix())
