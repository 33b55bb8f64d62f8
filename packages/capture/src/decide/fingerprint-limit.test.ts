import { spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { countCore } from './fingerprint-limit.ts'

const ID = '0123456789abcdef01234567'
const WINDOW = { limit: 2, seconds: 86_400 }

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fingerprints-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

async function take(home: string, id = ID): Promise<boolean | undefined> {
  return (await countCore(home, id, WINDOW))?.isTaken
}

describe('countCore', () => {
  it('takes so many cores of a fingerprint, and counts each fingerprint by itself', async () => {
    const home = scratch()
    expect([await take(home), await take(home), await take(home), await take(home)]).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(await take(home, 'f'.repeat(24))).toBe(true)
    const names = readdirSync(join(home, 'fingerprints'))
    expect(names).toHaveLength(2)
    for (const name of names) {
      const path = join(home, 'fingerprints', name)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      // crashes over the limit leave nothing
      expect(readFileSync(path, 'utf8')).toMatch(/^\+{1,2}$/)
    }
  })

  it('takes no more than its limit when several processes count at once', async () => {
    const home = scratch()
    const module = new URL('./fingerprint-limit.ts', import.meta.url).href
    const code = `
      const { countCore } = await import(${JSON.stringify(module)})
      while (Date.now() < ${Date.now() + 1500});
      let taken = 0
      for (let i = 0; i < 300; i++) {
        const { isTaken } = await countCore(${JSON.stringify(home)}, '${ID}', { limit: 500, seconds: 86400 })
        taken += isTaken
      }
      console.log(taken)`
    const flags = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', code]
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () => {
        const { stdout } = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
        return text(stdout)
      }),
    )
    const taken = outputs.reduce((sum, output) => sum + Number(output), 0)
    expect(taken).toBeLessThanOrEqual(500)
    // two that meet at the limit may both step back
    expect(taken).toBeGreaterThan(490)
  })

  it('counts no core for a process that was killed before it wrote', async () => {
    const home = scratch()
    const file = (await countCore(home, ID, WINDOW))?.file ?? ''
    writeFileSync(file, '')
    expect([await take(home), await take(home), await take(home)]).toEqual([true, true, false])
  })

  it('deletes the counts of windows that are over, and keeps no more files than its bound', async () => {
    const home = scratch()
    const directory = join(home, 'fingerprints')
    mkdirSync(directory)
    writeFileSync(join(directory, `${ID}-600-100`), '++')
    const present = Math.floor(Date.now() / 1000 / 86_400)
    for (let n = 0; n < 4095; n++) {
      writeFileSync(join(directory, `${n.toString(16).padStart(24, '0')}-86400-${present}`), '++')
    }
    expect(await take(home)).toBe(true)
    expect(readdirSync(directory)).toHaveLength(4096)
    // one without a file is not counted, and its core is taken
    expect(await take(home, 'f'.repeat(24))).toBeUndefined()
    expect(readdirSync(directory)).toHaveLength(4096)
    // one that has a file still is
    expect([await take(home), await take(home)]).toEqual([true, false])
    expect(await take(home, '1'.padStart(24, '0'))).toBe(false)
  })

  it('follows no link', async () => {
    const home = scratch()
    const file = (await countCore(home, ID, WINDOW))?.file ?? ''
    rmSync(file)
    writeFileSync(join(home, 'precious'), 'kept')
    symlinkSync(join(home, 'precious'), file)
    await expect(take(home)).rejects.toThrow(/ELOOP/)
    expect(readFileSync(join(home, 'precious'), 'utf8')).toBe('kept')
  })
})
