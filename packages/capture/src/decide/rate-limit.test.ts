import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { countCrash } from './rate-limit.ts'

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rate-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

describe('countCrash', () => {
  it('C5: gives each of several processes that count at once a place of its own', async () => {
    const home = scratch()
    const [processes, rounds] = [4, 300]
    const module = new URL('./rate-limit.ts', import.meta.url).href
    const code = `
      const { countCrash } = await import(${JSON.stringify(module)})
      while (Date.now() < ${Date.now() + 1500});
      const places = []
      for (let i = 0; i < ${rounds}; i++) {
        places.push((await countCrash(${JSON.stringify(home)}, ['pod-11-00000000'], 86400)).ordinal)
      }
      console.log(places.join(' '))`
    const flags = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', code]
    const outputs = await Promise.all(
      Array.from({ length: processes }, () => {
        const { stdout } = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
        return text(stdout)
      }),
    )
    const places = outputs.flatMap((output) => output.trim().split(' ').map(Number))
    const all = Array.from({ length: processes * rounds }, (_, index) => index + 1)
    expect(places.toSorted((a, b) => a - b)).toEqual(all)
  })

  it('C5: makes no more files than its bound, and counts the workloads beyond together', async () => {
    const home = scratch()
    const count = async (exe: number): Promise<number> =>
      (await countCrash(home, [`pod-11-${exe}`, 'pod-11-any', 'any-x-any'], 86_400)).ordinal
    mkdirSync(join(home, 'rate'))
    for (let other = 0; other < 4086; other++) writeFileSync(join(home, `rate/other-${other}`), '')
    for (let exe = 0; exe < 10; exe++) expect(await count(exe)).toBe(1)
    const beyond: number[] = []
    for (let exe = 5000; exe < 5050; exe++) beyond.push(await count(exe), await count(exe))
    expect(beyond).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    // one that has a file keeps it
    expect(await count(0)).toBe(2)
    expect(readdirSync(join(home, 'rate'))).toHaveLength(4097)
  })

  it('names a window by its length and its number since 1970', async () => {
    const { file } = await countCrash(scratch(), ['host-11-0000abcd'], 60)
    expect(file).toMatch(/\/rate\/host-11-0000abcd-60-\d+$/)
    expect(readFileSync(file, 'utf8')).toBe('.')
  })

  it('fails where the counters cannot be written', async () => {
    const home = scratch()
    writeFileSync(join(home, 'rate'), '')
    const counted = countCrash(home, ['host-11-0000abcd'], 60)
    await expect(counted).rejects.toThrow(/ENOTDIR/)
  })
})
