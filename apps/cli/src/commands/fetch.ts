import { mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ENTRY, safeName, type BundleManifest } from '@core-dump-handler/bundle'
import { type Archive, type ArchiveEntry, baseName } from '../bundle/archive.ts'
import { download, downloadedBytes, fetchEntry } from '../bundle/download.ts'
import { findBundle } from '../bundle/list-bundles.ts'
import type { BundleFile } from '../bundle/open-bundle.ts'
import { verifyBundle } from '../bundle/verify-bundle.ts'
import { CliError, EXIT } from '../error.ts'
import { escapeName, show, type Output } from '../output/output.ts'
import { Progress } from '../output/format.ts'
import { DirectoryStore, type Store } from '../store/store.ts'
import { ID_HELP, LOCATION_HELP, withStore, type Command } from './command.ts'

/** `cdh fetch`: a bundle, or its core, as a file. */
export const fetch: Command = {
  usage: `Usage: cdh fetch ID [LOCATION] [options]

${ID_HELP}

Writes the whole zip, or the core or the minicore out of it, and compares CRC and
size. Run again, it continues where it stopped. Prints the paths.

  --core              the core, expanded
  --mini              the minicore: stacks and registers, no heap
  -o, --output DIR    default: the current directory
  --json              {"files": […]}

${LOCATION_HELP}
`,
  options: {
    core: { type: 'boolean' },
    mini: { type: 'boolean' },
    output: { type: 'string', short: 'o' },
  },
  run(context) {
    const { args, output } = context
    const id = args.name('ID')
    const directory = resolve(args.text('output') ?? '.')
    return withStore(context, async (store) => {
      const bundle = await findBundle(store, id)
      await mkdir(directory, { recursive: true })
      const files: string[] = []
      if (args.flag('mini')) {
        files.push(await fetchCore(store, bundle, directory, true, output))
      }
      if (args.flag('core')) {
        files.push(await fetchCore(store, bundle, directory, false, output))
      }
      if (files.length === 0) files.push(await fetchZip(store, bundle, directory, output))
      if (args.flag('json')) output.json({ files })
      else output.print(...files.map(escapeName))
      return EXIT.ok
    })
  },
}

/** Loads the core or the minicore into `directory` and resolves with its path. */
export async function fetchCore(
  store: Store,
  { archive, manifest }: BundleFile,
  directory: string,
  isMini: boolean,
  output: Output,
): Promise<string> {
  const entry = isMini ? archive.entry(ENTRY.minicore) : coreEntry(archive, manifest)
  if (entry === undefined) throw missing(archive, isMini, manifest?.core.reason)
  const file = `${fileName(archive)}${isMini ? ENTRY.minicore : '.core'}`
  const path = join(directory, file)
  const progress = await startProgress(output, file, entry, path)
  await fetchEntry({ store, archive, entry, path, onBytes: (bytes) => progress.add(bytes) })
  progress.end()
  return path
}

async function fetchZip(
  store: Store,
  { archive: { object }, archive }: BundleFile,
  directory: string,
  output: Output,
): Promise<string> {
  const file = `${fileName(archive)}.zip`
  const path = join(directory, file)
  const local = new DirectoryStore(directory)
  const found = await local.find(file)
  if (found !== undefined && found.bytes !== object.bytes) {
    const message = `Cannot write ${show(path)}: another file has that name; remove it, or choose another directory with -o`
    throw new CliError('LOCAL', message)
  }
  const part = `${path}.part`
  if (found === undefined) {
    const there = await downloadedBytes(part, object.bytes)
    const progress = new Progress(output.stderr, escapeName(file), object.bytes, there)
    const onBytes = (bytes: number): void => progress.add(bytes)
    await download({ store, object, start: 0, length: object.bytes, path: part, onBytes })
    progress.end()
    await rename(part, path)
  }
  const stored = await local.find(file)
  const { state, problems } = stored
    ? await verifyBundle(local, stored)
    : { state: 'damaged', problems: ['it is gone'] }
  if (state !== 'damaged') return path
  const reasons = problems.map(escapeName).join('; ')
  const message = `${show(path)} is damaged: ${reasons}; remove it and fetch it again, and if it stays so run \`cdh verify\``
  throw new CliError('DAMAGED', message)
}

async function startProgress(
  output: Output,
  file: string,
  { compressedSize }: ArchiveEntry,
  path: string,
): Promise<Progress> {
  const there = await downloadedBytes(`${path}.part`, compressedSize)
  return new Progress(output.stderr, escapeName(file), compressedSize, there)
}

/** One path segment, whatever the object is called. */
function fileName(archive: Archive): string {
  const name = safeName(baseName(archive.object.key))
  return name === '' ? 'bundle' : name
}

function missing(archive: Archive, isMini: boolean, reason: string | undefined): CliError {
  const what = isMini ? 'minicore' : 'core'
  const why = isMini || reason === undefined ? '' : `: ${escapeName(reason)}`
  const advice = isMini ? 'try --core' : 'try --mini'
  return new CliError(
    'NOT_FOUND',
    `The bundle ${show(archive.object.key)} has no ${what}${why}; ${advice}`,
  )
}

/** The entry with the core; undefined in a bundle without one. */
function coreEntry(
  archive: Archive,
  manifest: BundleManifest | undefined,
): ArchiveEntry | undefined {
  const name = manifest?.core.entry
  return name === undefined
    ? archive.entry(ENTRY.core)
    : archive.entries.find((entry) => entry.fileName === name)
}
