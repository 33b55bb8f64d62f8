import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { mixedContent } from '../../testing/content.ts'
import { Random } from '../../testing/random.ts'
import { test } from '../../testing/scratch.ts'
import { createPartFile, drain, removeRecompressLeftOvers, ZipWriter } from '../index.ts'

const PROGRAM = join(import.meta.dirname, '../../testing/recompress-process.ts')
const KILLS = 25

async function bundle(path: string, core: Buffer): Promise<void> {
  const part = createPartFile(path)
  const zip = new ZipWriter(part)
  await zip.add('x-dump-info.json', '{}')
  await drain(Readable.from([core]), zip, { entryName: 'x.core', mode: 'store' })
  await zip.add('x-manifest.json', '{}')
  await zip.finish()
  await part.publish()
}

/** Runs it until it is over or `afterMs` have passed since it began; tells how long it took. */
async function run(path: string, afterMs = Infinity): Promise<number> {
  const child = spawn(
    process.execPath,
    ['--conditions=@core-dump-handler/source', PROGRAM, path, 'x.core'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  const began = performance.now()
  if (afterMs < Infinity) {
    await Promise.race([sleep(afterMs), ended])
    child.kill('SIGKILL')
  }
  await ended
  return performance.now() - began
}

test(`killed at ${KILLS} moments: the old or the new archive has the name, whole, and nothing else remains [recompress-1]`, async ({
  dir,
}) => {
  const core = mixedContent(new Random(8), 12_000_000)
  const original = join(dir, 'original')
  await bundle(original, core)
  const path = join(dir, 'x.zip')
  await copyFile(original, path)
  const tookMs = await run(path)
  const sizes = [original, path].map(async (file) => (await stat(file)).size)
  const [oldBytes, newBytes] = await Promise.all(sizes)
  let leftOvers = 0
  const seen = new Set<number | undefined>()
  for (let n = 0; n < KILLS; n++) {
    await copyFile(original, path)
    // the last ones come when it is done, or nearly
    await run(path, (tookMs * 1.1 * n) / (KILLS - 1))
    const { size } = await stat(path)
    seen.add(size)
    expect([oldBytes, newBytes]).toContain(size)
    const bytes = execFileSync('unzip', ['-p', path, 'x.core'], { maxBuffer: 1 << 26 })
    expect(core.equals(bytes)).toBe(true)
    execFileSync('unzip', ['-tq', path])
    leftOvers += await removeRecompressLeftOvers(dir)
    expect((await readdir(dir)).toSorted()).toEqual(['original', 'x.zip'])
  }
  expect(leftOvers).toBeGreaterThan(3)
  expect(seen.has(oldBytes)).toBe(true)
}, 300_000)
