import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { jsonText } from '../generate/json.ts'
import type { Random } from '../generate/random.ts'
import { text, word } from '../generate/text.ts'

/** Content of the file outside that a hard link leads to. */
export const OTHER = 'another name of it stays'
const PART_BYTES = 5 * 1024 * 1024

/** Fill `directory` with bundles of any name, and with what is none; gives the content of each bundle by the bytes of its name, as latin1. */
export function crowd(
  random: Random,
  directory: string,
  outside: string,
  endpoint: string,
): Map<string, string> {
  const bundles = new Map<string, string>()
  const put = (name: Buffer, content: string): void => {
    const path = at(directory, name)
    try {
      writeFileSync(path, content, { flag: 'wx' })
      if (isBundle(name)) bundles.set(name.toString('latin1'), content)
    } catch {
      // the name is taken, or is no name
    }
  }
  for (let left = 1 + random.below(12); left > 0; left--) {
    const name = nameOf(random)
    put(name, `${left} ${random.next()}`)
    if (random.once(3)) leaveRecord(random, directory, name, endpoint)
  }
  if (random.once(4)) {
    linkSync(join(outside, 'other'), join(directory, 'hard-link.zip'))
    bundles.set('hard-link.zip', OTHER)
  }
  for (const make of OTHER_FILES) {
    if (!random.once(4)) continue
    const name = Buffer.concat([
      word(random, 40).filter((byte) => byte !== 0x2f),
      Buffer.from('.zip'),
    ])
    try {
      make(at(directory, name), outside)
    } catch {
      // the name is taken, or is no name
    }
  }
  return bundles
}

const isBundle = (name: Buffer): boolean =>
  name.length > 4 && name.subarray(-4).toString() === '.zip' && name[0] !== 0x2e

function nameOf(random: Random): Buffer {
  const stem = word(random, random.pick([20, 251])).filter((byte) => byte !== 0x2f)
  const suffix = random.pick(['.zip', '.zip', '.zip', '.zip', '', '.part', '.zip.part', '.ZIP'])
  return Buffer.concat([Buffer.from(random.once(12) ? '.' : ''), stem, Buffer.from(suffix)])
}

const BIND =
  'socket my $s, AF_UNIX, SOCK_STREAM, 0; bind $s, sockaddr_un(join "", <STDIN>) or exit 1'

type Make = (path: Buffer, outside: string) => void

const OTHER_FILES: readonly Make[] = [
  (path, outside) => symlinkSync(join(outside, 'precious'), path),
  (path) => symlinkSync('nowhere', path),
  (path) => void execaSync('mkfifo', [path.toString()], { stdio: 'ignore' }),
  (path) => {
    mkdirSync(path)
    writeFileSync(Buffer.concat([path, Buffer.from('/inner.zip')]), 'inner')
  },
  // by a process that ends without removing it
  (path) => void execaSync('perl', ['-MSocket', '-e', BIND], { input: path, stdio: 'pipe' }),
]

function leaveRecord(random: Random, directory: string, name: Buffer, endpoint: string): void {
  const path = at(directory, Buffer.from(`.${name.toString()}.upload.json`.slice(0, 200)))
  const record = {
    file: random.pick([name.toString(), '../outside/y.zip', '..', `${text(random)}.zip`]),
    token: 'x'.repeat(32),
    store: `${endpoint} bucket`,
    key: `prefix/${name.toString()}`,
    uploadId: 'u',
    partBytes: random.pick([PART_BYTES, 1, 2 ** 52]),
    etagIsMd5: true,
    completed: random.once(3),
  }
  try {
    const kind = random.below(10)
    if (kind === 0) execaSync('mkfifo', [path.toString()], { stdio: 'ignore' })
    else if (kind === 1) symlinkSync('/dev/zero', path)
    else if (kind === 2) mkdirSync(path)
    else writeFileSync(path, jsonText(random, record))
  } catch {
    // no such name can be
  }
}

function at(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name])
}
