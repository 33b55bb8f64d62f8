import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import JSZip from 'jszip'

/** An independent program that opens archives. */
export interface Reader {
  readonly name: string
  /** Its Debian package. */
  readonly debian: string
  readonly present: boolean
  /** Opens ZIP method 93. */
  readonly zstd: boolean
  /** Checks the whole archive; throws with the message of the reader. */
  test(path: string): void | Promise<void>
  extract(path: string, entry: string): Buffer | Promise<Buffer>
}

const PYTHON_READ = `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
if len(sys.argv) == 2:
    bad = z.testzip()
    sys.exit(f'bad entry {bad}' if bad else 0)
with z.open(sys.argv[2]) as f:
    while b := f.read(1 << 20): sys.stdout.buffer.write(b)
`

export const READERS: readonly Reader[] = [
  {
    name: 'jszip',
    debian: '',
    present: true,
    zstd: false,
    test: async (path) => {
      await JSZip.loadAsync(readFileSync(path), { checkCRC32: true })
    },
    extract: async (path, entry) => {
      const zip = await JSZip.loadAsync(readFileSync(path))
      const file = zip.file(entry)
      if (file === null) throw new Error(`jszip finds no entry ${entry}`)
      return file.async('nodebuffer')
    },
  },
  command('unzip', 'unzip', false, ['-tq'], (entry) => ['-p', escapeGlob(entry)]),
  command('python3', 'python3', false, ['-c', PYTHON_READ], (entry) => ['-c', PYTHON_READ, entry]),
  command('bsdtar', 'libarchive-tools', true, ['-tvf'], (entry) => ['-xOf', entry]),
  command('7z', 'p7zip-full', true, ['t', '-bd'], (entry) => ['x', '-so', '-spd', entry]),
]

/** The readers installed here; under CI, a missing one is a failure. */
export function readersHere(): readonly Reader[] {
  const missing = READERS.filter(({ present }) => !present)
  if (missing.length === 0) return READERS
  const names = missing.map(({ name, debian }) => `${name} (apt install ${debian})`).join(', ')
  if (process.env['CI'] === 'true') throw new Error(`Missing archive readers: ${names}`)
  process.stderr.write(`\n  SKIPPED: archives are not checked with ${names}\n`)
  return READERS.filter(({ present }) => present)
}

function command(
  name: string,
  debian: string,
  zstd: boolean,
  test: readonly string[],
  extract: (entry: string) => readonly string[],
): Reader {
  const present = spawnSync(name, ['--help'], { stdio: 'ignore' }).error === undefined
  // options, archive, entry
  const run = (args: readonly string[], entries: readonly string[], path: string): Buffer =>
    execFileSync(name, [...args, path, ...entries], {
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  return {
    name,
    debian,
    present,
    zstd,
    test: (path) => void run(test, [], path),
    extract: (path, entry) => {
      const args = extract(entry)
      return run(args.slice(0, -1), args.slice(-1), path)
    },
  }
}

/** Info-ZIP reads its arguments as patterns. */
function escapeGlob(entry: string): string {
  return entry.replace(/[[\]*?\\]/g, '\\$&')
}
