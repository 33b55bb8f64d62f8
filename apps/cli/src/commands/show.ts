import { ENTRY, containerEntry, type BundleManifest } from '@core-dump-handler/bundle'
import { findBundle } from '../bundle/list-bundles.ts'
import type { BundleSummary, BundleFile } from '../bundle/open-bundle.ts'
import { demangle } from '../demangle.ts'
import { CliError, EXIT, messageOf } from '../error.ts'
import { escapeName, escapeText, type Output } from '../output/output.ts'
import {
  formatBytes,
  formatCore,
  formatSignal,
  formatTime,
  formatWorkload,
} from '../output/format.ts'
import { ID_HELP, LOCATION_HELP, withStore, type Command } from './command.ts'

const MAX_REPORT_BYTES = 1024 * 1024
const MAX_LOG_BYTES = 16 * 1024 * 1024
const LOG_LINES = 20
const MAX_LINE_CHARACTERS = 1000

/** `cdh show`: what is known of one crash. */
export const show: Command = {
  usage: `Usage: cdh show ID [LOCATION] [options]

${ID_HELP}

Prints whose process it was and how that is known, warnings, the report with the
names of C++ and Rust functions as they are in the source, and the last
${LOG_LINES} lines of the container's log.

  --json              {"summary": …, "manifest": …, "report": …, "log": […]}

${LOCATION_HELP}
`,
  options: {},
  run(context) {
    const { args, output } = context
    const id = args.name('ID')
    return withStore(context, async (store) => {
      const bundle = await findBundle(store, id)
      const log = await readLog(bundle, output)
      if (args.flag('json')) {
        const text = await bundle.archive.text(ENTRY.report, MAX_REPORT_BYTES)
        const report = text === undefined ? undefined : parseReport(text, output)
        output.json({ summary: bundle.summary, manifest: bundle.manifest, report, log })
        return EXIT.ok
      }
      const report = await bundle.archive.text(ENTRY.reportText, MAX_REPORT_BYTES)
      printIdentity(output, bundle)
      output.print('')
      if (report === undefined) output.print(noReport(bundle.summary))
      else output.print(await demangle(escapeText(report)))
      if (log !== undefined) {
        output.print(output.style('bold', `Last lines of the container's log:`))
        output.print(...log.map((line) => escapeName(line).slice(0, MAX_LINE_CHARACTERS)))
      }
      return EXIT.ok
    })
  },
}

function printIdentity(output: Output, { summary, manifest }: BundleFile): void {
  const field = (name: string, value: string | undefined): void => {
    if (value !== undefined)
      output.print(`${output.style('bold', name.padEnd(12))}${escapeName(value)}`)
  }
  field('crash', `${summary.id}  ${formatTime(summary.time)}`)
  field(
    'program',
    `${manifest?.crash.exe ?? summary.program ?? 'unknown'}  ${formatSignal(summary)}`,
  )
  field('workload', formatWorkload(summary))
  field('identity', identityText(summary, manifest))
  field('node', summary.node)
  field('image', manifest?.identity.imageRef ?? summary.image)
  field('restarts', manifest?.identity.restartCount?.toString())
  field('fingerprint', summary.fingerprint?.id)
  field('core', coreText(summary))
  field('object', `${summary.key}  ${formatBytes(summary.bytes)}`)
  for (const { code, message } of manifest?.problems ?? []) {
    output.print(
      `${output.style('yellow', 'warning'.padEnd(12))}${escapeName(`${code}: ${message}`)}`,
    )
  }
}

function identityText({ identity }: BundleSummary, manifest: BundleManifest | undefined): string {
  const reason = manifest?.identity.reason
  return reason === undefined ? identity : `${identity}: ${reason}`
}

function coreText(summary: BundleSummary): string {
  const { coreBytes, reason } = summary
  const size = coreBytes === undefined ? '' : `, ${formatBytes(coreBytes)}`
  return `${formatCore(summary)}${size}${reason === undefined ? '' : `: ${reason}`}`
}

function noReport({ id }: BundleSummary): string {
  return `The bundle has no report. Fetch its core with \`cdh fetch ${escapeName(id)} --core\`, and run \`cdh report\` on it.`
}

/** The last lines of the first container's log; a log that cannot be read hides nothing else. */
async function readLog({ archive }: BundleFile, output: Output): Promise<string[] | undefined> {
  try {
    const text = await archive.text(containerEntry(0).log, MAX_LOG_BYTES)
    return text?.trimEnd().split('\n').slice(-LOG_LINES)
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'DAMAGED') throw error
    output.note(error.message)
    return undefined
  }
}

function parseReport(text: string, output: Output): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    output.note(`The report is no JSON: ${escapeName(messageOf(error))}`)
    return undefined
  }
}
