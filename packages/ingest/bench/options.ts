import { parseArgs } from 'node:util'

export const USAGE = `Usage: npm run bench -- ingest [options]

How long a crashed process would be held while its core is drained, beside the tools one could use
instead. Each core is fed page by page into a pipe of 64 KiB, as the kernel does it.

  --size SIZE      of each core, such as 64MiB or 5GiB (default 512MiB)
  --rounds N       runs of each variant, after one that does not count (default 5)
  --kinds LIST     half-zero, compressible, random, or a path (default half-zero,random)
  --modes LIST     deflate, store, adaptive, zstd (default deflate,store,adaptive)
  --peers LIST     cat, pigz, gzip, zip, zstd, or none (default cat,pigz,zip,zstd)
  --set NAME=N     passed to drain, such as lanes=2, blockBytes=262144 (repeatable)
  --dir DIR        where cores and archives are written (default the system's temporary directory)
  --json           one JSON document instead of tables
`

export interface BenchOptions {
  readonly mib: number
  readonly rounds: number
  readonly kinds: readonly string[]
  readonly modes: readonly string[]
  readonly peers: readonly string[]
  readonly set: readonly string[]
  readonly dir: string | undefined
  readonly json: boolean
  readonly help: boolean
}

export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: '512MiB' },
      rounds: { type: 'string', default: '5' },
      kinds: { type: 'string', default: 'half-zero,random' },
      modes: { type: 'string', default: 'deflate,store,adaptive' },
      peers: { type: 'string', default: 'cat,pigz,zip,zstd' },
      set: { type: 'string', multiple: true, default: [] },
      dir: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { size, rounds, kinds, modes, peers, set, dir, json, help } = values
  return {
    mib: mebibytes(size),
    rounds: positive('--rounds', rounds),
    kinds: list(kinds),
    modes: list(modes),
    peers: peers === 'none' ? [] : list(peers),
    set,
    dir,
    json,
    help,
  }
}

function mebibytes(size: string): number {
  const match = /^(\d+)(MiB|GiB)$/.exec(size)
  if (match === null) throw new TypeError(`Expected --size to be like 512MiB or 5GiB, got ${size}`)
  return Number(match[1]) * (match[2] === 'GiB' ? 1024 : 1)
}

function positive(option: string, value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number > 0) return number
  throw new TypeError(`Expected ${option} to be a positive integer, got ${value}`)
}

function list(values: string): string[] {
  return values.split(',').filter((value) => value !== '')
}
