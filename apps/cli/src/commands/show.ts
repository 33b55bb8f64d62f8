import { ENTRY, containerEntry, type BundleManifest } from '@core-dump-handler/bundle'
import type { Archive } from '../bundle/archive.ts'
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
      const read = new EntryReader(bundle.archive, output)
      const log = lastLines(await read.text(containerEntry(0).log, MAX_LOG_BYTES))
      if (args.flag('json')) {
        const report = await read.json(ENTRY.report, MAX_REPORT_BYTES)
        output.json({ summary: bundle.summary, manifest: bundle.manifest, report, log })
        return read.exitCode
      }
      const report = await read.text(ENTRY.reportText, MAX_REPORT_BYTES)
      printIdentity(output, bundle)
      output.print('')
      if (report === undefined) output.print(noReport(bundle))
      else output.print(await demangle(escapeText(report)))
      if (log !== undefined) {
        output.print(output.style('bold', `Last lines of the container's log:`))
        output.print(...log.map((line) => escapeName(line).slice(0, MAX_LINE_CHARACTERS)))
      }
      return read.exitCode
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

function noReport({ archive, summary: { id } }: BundleFile): string {
  const has =
    archive.entry(ENTRY.reportText) === undefined ? 'has no report' : 'has a damaged report'
  return `The bundle ${has}. Fetch its core with \`cdh fetch ${escapeName(id)} --core\`, and run \`cdh report\` on it.`
}

/** Reads entries of a bundle; one that cannot be read is noted, and hides nothing else. */
class EntryReader {
  readonly #archive: Archive
  readonly #output: Output
  exitCode: number = EXIT.ok

  constructor(archive: Archive, output: Output) {
    this.#archive = archive
    this.#output = output
  }

  async text(suffix: string, maxBytes: number): Promise<string | undefined> {
    try {
      return await this.#archive.text(suffix, maxBytes)
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'DAMAGED') throw error
      this.#fail(error.message)
      return undefined
    }
  }

  async json(suffix: string, maxBytes: number): Promise<unknown> {
    const text = await this.text(suffix, maxBytes)
    if (text === undefined) return undefined
    try {
      return JSON.parse(text)
    } catch (error) {
      this.#fail(`The entry ${suffix} is no JSON: ${escapeName(messageOf(error))}`)
      return undefined
    }
  }

  #fail(message: string): void {
    this.#output.note(`cdh: ${message}`)
    this.exitCode = EXIT.failed
  }
}

function lastLines(log: string | undefined): string[] | undefined {
  return log?.trimEnd().split('\n').slice(-LOG_LINES)
}
