import { mkdir, rename, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ENTRY, safeName, type BundleManifest } from '@core-dump-handler/bundle'
import { type Archive, type ArchiveEntry, baseName } from '../bundle/archive.ts'
import {
  download,
  downloadedBytes,
  fetchEntry,
  loadOrResume,
  localError,
} from '../bundle/download.ts'
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
      await makeDirectory(directory)
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
  bundle: BundleFile,
  directory: string,
  isMini: boolean,
  output: Output,
): Promise<string> {
  const { archive, manifest } = bundle
  const entry = isMini ? archive.entry(ENTRY.minicore) : coreEntry(archive, manifest)
  if (entry === undefined) throw missing(bundle, isMini)
  const file = `${fileName(archive)}${isMini ? ENTRY.minicore : '.core'}`
  const path = join(directory, file)
  const progress = await startProgress(output, file, entry.compressedSize, path)
  try {
    await fetchEntry({ store, archive, entry, path, onBytes: (bytes) => progress.add(bytes) })
  } finally {
    progress.end()
  }
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
  const found = await new DirectoryStore(directory).find(file)
  if (found !== undefined) {
    const isSameSize = found.bytes === object.bytes
    const damage = isSameSize ? await damageOf(path) : 'another file has that name'
    if (damage === undefined) return path
    const message = `Cannot write ${show(path)}: ${damage}; remove it, or choose another directory with -o`
    throw new CliError('LOCAL', message)
  }
  const progress = await startProgress(output, file, object.bytes, path)
  const onBytes = (bytes: number): void => progress.add(bytes)
  try {
    await loadOrResume(`${path}.part`, object.bytes, async (part) => {
      await download({ store, object, start: 0, length: object.bytes, path: part, onBytes })
      const damage = await damageOf(part)
      if (damage === undefined) return
      throw new CliError(
        'DAMAGED',
        `${show(object.key)} is damaged: ${damage}; it is at ${show(part)}`,
      )
    })
  } finally {
    progress.end()
  }
  await rename(`${path}.part`, path)
  return path
}

/** Why the file is not a bundle as it was written; undefined when it is, or when only its core is cut. */
async function damageOf(path: string): Promise<string | undefined> {
  const local = new DirectoryStore(dirname(path))
  const file = await local.find(basename(path))
  if (file === undefined) return 'it is gone'
  const { state, problems } = await verifyBundle(local, file)
  return state === 'damaged' ? problems.map(escapeName).join('; ') : undefined
}

async function startProgress(
  output: Output,
  file: string,
  bytes: number,
  path: string,
): Promise<Progress> {
  const there = await downloadedBytes(`${path}.part`, bytes)
  return new Progress(output.stderr, escapeName(file), bytes, there)
}

/** One path segment, whatever the object is called. */
function fileName(archive: Archive): string {
  const name = safeName(baseName(archive.object.key))
  return name === '' ? 'bundle' : name
}

/** Not by the recursive mkdir of Node, which never returns below /proc. */
async function makeDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined)
  if (found?.isDirectory() === true) return
  await makeDirectory(dirname(directory))
  try {
    await mkdir(directory)
  } catch (error) {
    throw localError(directory, error)
  }
}

function missing({ archive, manifest }: BundleFile, isMini: boolean): CliError {
  const reason = isMini ? undefined : manifest?.core.reason
  const why = reason === undefined ? '' : `: ${escapeName(reason)}`
  const other = isMini ? coreEntry(archive, manifest) : archive.entry(ENTRY.minicore)
  const instead = isMini ? 'use --core' : 'use --mini'
  const advice = other === undefined ? '`cdh show` prints what it has' : instead
  const what = isMini ? 'minicore' : 'core'
  const message = `The bundle ${show(archive.object.key)} has no ${what}${why}; ${advice}`
  return new CliError('NOT_FOUND', message)
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
