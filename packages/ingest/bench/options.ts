import { parseArgs } from 'node:util'
import { list, mebibytes, positiveInteger } from '@core-dump-handler/testing/bench/parse'
import { COMMON_OPTIONS, COMMON_USAGE } from '@core-dump-handler/testing/bench/publish'

/** One way to write a core from a pipe to a file. */
export interface Variant {
  readonly name: string
  /** For sh; `$0` is the path to write, in a directory of its own. */
  readonly command: string
}

export const USAGE = `Usage: npm run bench -- ingest [options]

How long a crashed process would be held while its core is drained, beside the tools one could use
instead. Each core is fed page by page into a pipe of 64 KiB, as the kernel does it.

  --sizes LIST     of each core, such as 64MiB,512MiB,5GiB (default 512MiB); with more than one a
                   table tells how the speed grows; --size is the same
  --rounds N       runs of each variant (default 5)
  --warm-up N      rounds before them that do not count (default 1)
  --kinds LIST     made: half-zero, compressible, random; dumped by the kernel from a program that
                   crashed (as root): c-core, node-core, node-heap (the same without the half GiB
                   that V8 reserves for its code); or a path (default half-zero,random)
  --heap SIZE      of the Node process of node-core, node-heap (default 430MiB, whatever --sizes)
  --modes LIST     of ours: auto, deflate, store, adaptive, zstd; composer is the whole program as
                   the agent installs it, with its default settings (default deflate,
                   deflate:engine=zlib, store, adaptive:engine=zlib); options of one mode alone
                   follow colons: adaptive:holdBudgetMs=250
  --peers LIST     cat, pigz, gzip, zip, zip-1, zstd, zstd-3, or none (default cat,pigz,zip-1,zstd)
  --set NAME=VALUE passed to drain, such as lanes=2, blockBytes=262144 (repeatable)
  --setting N=V    of the composer, such as COMPRESSION_MODE=store (repeatable)
  --dir DIR        where cores and archives are written (default the system's temporary directory)
  --cores DIR      keep cores there, and take those that are there from an earlier run
${COMMON_USAGE}`

export interface BenchOptions {
  readonly sizes: readonly number[]
  readonly heapMib: number
  readonly rounds: number
  readonly warmUp: number
  readonly kinds: readonly string[]
  readonly modes: readonly string[]
  readonly peers: readonly string[]
  readonly set: readonly string[]
  readonly setting: readonly string[]
  readonly dir: string | undefined
  readonly cores: string | undefined
  readonly json: boolean
  readonly report: string | undefined
  readonly help: boolean
}

export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...COMMON_OPTIONS,
      sizes: { type: 'string' },
      size: { type: 'string' },
      heap: { type: 'string', default: '430MiB' },
      rounds: { type: 'string', default: '5' },
      'warm-up': { type: 'string', default: '1' },
      kinds: { type: 'string', default: 'half-zero,random' },
      modes: { type: 'string', default: 'deflate,deflate:engine=zlib,store,adaptive:engine=zlib' },
      peers: { type: 'string', default: 'cat,pigz,zip-1,zstd' },
      set: { type: 'string', multiple: true, default: [] },
      setting: { type: 'string', multiple: true, default: [] },
      dir: { type: 'string' },
      cores: { type: 'string' },
    },
  })
  const { sizes, size, heap, rounds, kinds, modes, peers } = values
  return {
    ...values,
    sizes: list(sizes ?? size ?? '512MiB').map((each) => mebibytes('--sizes', each)),
    heapMib: mebibytes('--heap', heap),
    rounds: positiveInteger('--rounds', rounds),
    warmUp: values['warm-up'] === '0' ? 0 : positiveInteger('--warm-up', values['warm-up']),
    kinds: list(kinds),
    modes: list(modes),
    peers: peers === 'none' ? [] : list(peers),
    dir: values.dir,
    cores: values.cores,
    report: values.report,
  }
}
