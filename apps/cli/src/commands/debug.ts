import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ENTRY } from '@core-dump-handler/bundle'
import type { Arguments } from '../arguments/parse-arguments.ts'
import { findBundle } from '../bundle/list-bundles.ts'
import {
  BinaryCache,
  bucketSource,
  cacheSource,
  debuginfodSource,
  directorySource,
  findBinaries,
  type BinarySource,
  type FoundBinary,
} from '../debug/binary-sources.ts'
import { readWantedModules } from '../debug/core-modules.ts'
import { foreignArchitecture } from '../debug/architecture.ts'
import { layOut, requireDebugger, runDebugger } from '../debug/debugger.ts'
import { imageSource } from '../debug/image-source.ts'
import { CliError, EXIT } from '../error.ts'
import { escapeName, type Output } from '../output/output.ts'
import {
  cachePath,
  ID_HELP,
  LOCATION_HELP,
  withStore,
  type Environment,
  type Command,
  type CommandContext,
} from './command.ts'
import type { Store } from '../store/store.ts'
import { fetchCore } from './fetch.ts'

/** `cdh debug`: a debugger with the core and the very binaries of the crash. */
export const debug: Command = {
  usage: `Usage: cdh debug ID [LOCATION] [options] [-- ARGUMENTS OF THE DEBUGGER]

${ID_HELP}

Loads the minicore, or the core where there is none, and finds the executable and
the libraries by their build-ids: in --sysroot, in the cache (~/.cache/cdh), on
this machine, in the bucket (PREFIX/binaries/BUILD-ID), at DEBUGINFOD_URLS, in the
image. A file of another build is never used. Ends with the debugger's code.

  --mini              the minicore, and no other
  --core              the whole core
  --lldb              instead of gdb; only when every file was found
  --sysroot DIR       files at the paths of the crashed process
  --image REF         taken by crane, docker, podman or skopeo
  --json              print what was found; start no debugger

Example: cdh debug latest -- -batch -ex 'thread apply all bt'

${LOCATION_HELP}
`,
  options: {
    mini: { type: 'boolean' },
    core: { type: 'boolean' },
    lldb: { type: 'boolean' },
    sysroot: { type: 'string' },
    image: { type: 'string' },
  },
  takesRest: true,
  run(context) {
    return withStore(context, (store) => debugBundle(store, context))
  },
}

async function debugBundle(store: Store, { args, env, output }: CommandContext): Promise<number> {
  if (args.flag('mini') && args.flag('core')) {
    throw new CliError('USAGE', 'Expected --mini or --core, and got both')
  }
  const id = args.name('ID')
  const kind = args.flag('lldb') ? 'lldb' : 'gdb'
  if (!args.flag('json')) await requireDebugger(kind)
  const bundle = await findBundle(store, id)
  const hasMinicore = bundle.archive.entry(ENTRY.minicore) !== undefined
  const isMini = args.flag('mini') || (hasMinicore && !args.flag('core'))
  const cacheDirectory = cachePath(env)
  const coreDirectory = join(cacheDirectory, 'cores')
  await mkdir(coreDirectory, { recursive: true, mode: 0o700 })
  const core = await fetchCore(store, bundle, coreDirectory, isMini, output)
  if (isMini) output.note('Using the minicore: stacks and registers. `--core` loads all memory.')

  const wanted = readWantedModules(core)
  const cache = new BinaryCache(cacheDirectory)
  const sources = sourcesOf(args, env, store, cache)
  const binaries = await findBinaries(wanted, sources, (message) =>
    output.note(escapeName(message)),
  )
  if (args.flag('json')) {
    output.json({ core, modules: binaries.map(moduleJson) })
    return EXIT.ok
  }
  const foreign = kind === 'gdb' ? foreignArchitecture(wanted) : undefined
  if (foreign !== undefined) {
    output.note(`The core is of ${foreign}: some gdb need \`apt install gdb-multiarch\` for it.`)
  }
  noteMissing(output, binaries, bundle.manifest?.identity.imageRef ?? bundle.summary.image)
  if (kind === 'lldb' && binaries.some(({ path }) => path === undefined)) {
    const message =
      'lldb takes files of this machine, of any build, for those that are missing; give them, or use gdb'
    throw new CliError('NOT_FOUND', message)
  }

  const directory = await mkdtemp(join(tmpdir(), 'cdh-debug-'))
  try {
    await layOut(directory, binaries)
    const program = binaries.find(({ wanted: { isProgram } }) => isProgram)?.path
    return await runDebugger({
      kind,
      ...(foreign !== undefined && { foreignArchitecture: foreign }),
      core,
      ...(program !== undefined && { program }),
      directory,
      sourceDirectory: resolve('.'),
      useDebuginfod: (env['DEBUGINFOD_URLS'] ?? '') !== '',
      rest: args.rest,
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Cheapest first: what is found has the right build wherever it comes from. */
function sourcesOf(
  args: Arguments,
  env: Environment,
  store: Store,
  cache: BinaryCache,
): BinarySource[] {
  const sysroot = args.text('sysroot')
  const image = args.text('image')
  // `ima:enforcing` and the like between them are for clients that verify signatures
  const urls = (env['DEBUGINFOD_URLS'] ?? '').split(/\s+/).filter((url) => /^https?:/.test(url))
  return [
    ...(sysroot === undefined ? [] : [directorySource('sysroot', resolve(sysroot))]),
    cacheSource(cache),
    directorySource('this machine', '/'),
    bucketSource(store, cache),
    ...urls.map((url) => debuginfodSource(url, cache)),
    ...(image === undefined ? [] : [imageSource(image, cache)]),
  ]
}

function noteMissing(
  output: Output,
  binaries: readonly FoundBinary[],
  image: string | undefined,
): void {
  const missing = binaries.filter(({ path }) => path === undefined)
  output.note(`${binaries.length - missing.length} of ${binaries.length} binaries found.`)
  if (missing.length === 0) return
  for (const { wanted } of missing) {
    output.note(`missing: ${escapeName(wanted.path)}  build-id ${wanted.buildId ?? 'unknown'}`)
  }
  const reference = image === undefined ? 'the image of the container' : escapeName(image)
  output.note(
    `Give them with --sysroot DIR, with --image (${reference}), with DEBUGINFOD_URLS, or let the agent store binaries (BINARIES=true).`,
  )
}

function moduleJson({ wanted, path, source }: FoundBinary): object {
  const { path: modulePath, buildId, isProgram } = wanted
  return { path: modulePath, buildId, isProgram, file: path, source }
}
