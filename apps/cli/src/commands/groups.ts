import { groupBundles, type BundleGroup, type BundleGroups } from '../bundle/group-bundles.ts'
import { demangle } from '../demangle.ts'
import { escapeName, type Output } from '../output/output.ts'
import { formatFrame, formatTime } from '../output/format.ts'
import { LOCATION_HELP, type Command } from './command.ts'
import { FILTER_HELP, FILTER_OPTIONS, withBundles } from './list.ts'

const TITLES = [
  'FINGERPRINT',
  'COUNT',
  'FIRST',
  'LAST',
  'PROGRAM',
  'SIGNAL',
  'TOP FRAME',
  'WORKLOADS',
  'NODES',
]
const MAX_NAMED = 3
const SHORT_FINGERPRINT = 12

/** `cdh groups`: one line per fingerprint. */
export const groups: Command = {
  usage: `Usage: cdh groups [LOCATION] [options]

One line per fingerprint, the most frequent first. Crashes without a report are
grouped by program and signal. A node is marked with "!" when crashes of several
programs have fingerprints that no other node has: its memory or CPU may be bad.

${FILTER_HELP}
  --json              {"groups": […], "suspectNodes": […]}

${LOCATION_HELP}
`,
  options: FILTER_OPTIONS,
  run(context) {
    const { args, output } = context
    return withBundles(context, async ({ bundles }) => {
      const grouped = groupBundles(bundles)
      if (args.flag('json')) output.json(grouped)
      else await printGroups(output, grouped)
    })
  },
}

async function printGroups(
  output: Output,
  { groups: all, suspectNodes }: BundleGroups,
): Promise<void> {
  if (all.length === 0) {
    output.note('No bundle matches.')
    return
  }
  const suspects = new Set(suspectNodes.map(({ node }) => node))
  const rows: string[][] = []
  for (const group of all) rows.push(await row(group, suspects))
  output.table(TITLES, rows)
  for (const { node, ownFingerprints, programs } of suspectNodes) {
    const title = output.style('yellow', `! ${escapeName(node)}`)
    output.print(
      `${title}: ${ownFingerprints} fingerprints of ${programs} programs are on this node alone; check its memory and CPU`,
    )
  }
}

async function row(group: BundleGroup, suspects: ReadonlySet<string>): Promise<string[]> {
  const { fingerprint, count, first, last, program, signal, topFrame, workloads, nodes } = group
  return [
    fingerprint?.slice(0, SHORT_FINGERPRINT) ?? '-',
    String(count),
    formatTime(first),
    formatTime(last),
    program ?? '-',
    signal ?? '-',
    formatFrame(topFrame && (await demangle(topFrame))),
    named(workloads),
    named(nodes.map((node) => (suspects.has(node) ? `${node} !` : node))),
  ]
}

function named(names: readonly string[]): string {
  const more = names.length > MAX_NAMED ? ` +${names.length - MAX_NAMED}` : ''
  return names.length === 0 ? '-' : `${names.slice(0, MAX_NAMED).join(', ')}${more}`
}
