import { parseSince, type Arguments } from '../arguments/parse-arguments.ts'
import { listBundles, type BundleFilter, type BundleList } from '../bundle/list-bundles.ts'
import type { BundleSummary } from '../bundle/open-bundle.ts'
import { demangle } from '../demangle.ts'
import { EXIT } from '../error.ts'
import {
  formatBytes,
  formatCore,
  formatFrame,
  formatSignal,
  formatTime,
  formatWorkload,
  shortFingerprint,
  shortId,
} from '../output/format.ts'
import type { Output } from '../output/output.ts'
import { LOCATION_HELP, withStore, type Command, type CommandContext } from './command.ts'

export const FILTER_OPTIONS = {
  since: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  fingerprint: { type: 'string' },
  unverified: { type: 'boolean' },
} as const

export const FILTER_HELP = `  --since TIME        such as 90m, 12h, 1d, 2w, or 2026-11-30T12:00:00Z
  -n, --namespace NS  of the pod
  --fingerprint ID    beginning of a fingerprint or of a family
  --unverified        only those whose owner is not proven`

const TITLES = [
  'ID',
  'TIME',
  'WORKLOAD',
  'PROGRAM',
  'SIGNAL',
  'TOP FRAME',
  'FINGERPRINT',
  'SIZE',
  'CORE',
]

/** `cdh list`: one line per bundle, the latest crash last. */
export const list: Command = {
  usage: `Usage: cdh list [LOCATION] [options]

One line per crash, the latest last. No bundle is downloaded: only its end is
read. A "?" behind a workload means that it is not proven.

${FILTER_HELP}
  --json              {"bundles": […], "unreadable": […]}

${LOCATION_HELP}
`,
  options: FILTER_OPTIONS,
  run(context) {
    const { args, output } = context
    return withBundles(context, async (found) => {
      if (args.flag('json')) output.json(found)
      else await printList(output, found.bundles)
    })
  },
}

/** Runs a command on the bundles that its filter options select. */
export function withBundles(
  context: CommandContext,
  use: (found: BundleList) => Promise<void>,
): Promise<number> {
  context.args.noNames()
  const filter = readFilter(context.args)
  return withStore(context, async (store) => {
    const found = await listBundles(store, filter)
    await use(found)
    noteUnreadable(context.output, found)
    return EXIT.ok
  })
}

function readFilter(args: Arguments): BundleFilter {
  const since = args.text('since')
  const namespace = args.text('namespace')
  const fingerprint = args.text('fingerprint')
  return {
    ...(since !== undefined && { since: parseSince(since) }),
    ...(namespace !== undefined && { namespace }),
    ...(fingerprint !== undefined && { fingerprint }),
    unverified: args.flag('unverified'),
  }
}

async function printList(output: Output, bundles: readonly BundleSummary[]): Promise<void> {
  if (bundles.length === 0) {
    output.note('No bundle matches.')
    return
  }
  const rows: string[][] = []
  for (const bundle of bundles) rows.push(await row(bundle))
  output.table(TITLES, rows)
}

async function row(bundle: BundleSummary): Promise<string[]> {
  return [
    shortId(bundle),
    formatTime(bundle.time),
    formatWorkload(bundle),
    bundle.program ?? '-',
    formatSignal(bundle),
    formatFrame(bundle.topFrame && (await demangle(bundle.topFrame))),
    shortFingerprint(bundle),
    formatBytes(bundle.bytes),
    formatCore(bundle),
  ]
}

/** Other objects in the bucket are no failure, and are not hidden. */
function noteUnreadable(output: Output, { unreadable }: BundleList): void {
  const [first] = unreadable
  if (first === undefined) return
  const count = unreadable.length === 1 ? '1 object' : `${unreadable.length} objects`
  output.note(`${count} cannot be read as a bundle, such as: ${first.reason}`)
}
