import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createOnce } from './rate-limit.ts'

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'once-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

describe('createOnce', () => {
  it('creates a file for its owner only, once, and leaves nothing beside it', () => {
    const directory = scratch()
    const path = join(directory, 'a.json')
    expect([createOnce(path, 'first'), createOnce(path, 'second')]).toEqual([true, false])
    expect(readFileSync(path, 'utf8')).toBe('first')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['a.json'])
  })

  it('leaves no file with a part of its text, whenever its process is killed', async () => {
    const directory = scratch()
    const module = new URL('./rate-limit.ts', import.meta.url).href
    const code = `
      const { createOnce } = await import(${JSON.stringify(module)})
      console.log('ready')
      for (let n = 0; ; n++) createOnce(${JSON.stringify(directory)} + '/' + n, 'x'.repeat(5000))`
    const flags = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', code]
    for (let kill = 0; kill < 8; kill++) {
      const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, kill))
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
    expect(names.length).toBeGreaterThan(8)
    for (const name of names) expect(statSync(join(directory, name)).size).toBe(5000)
  })

  it('fails where it cannot write', () => {
    expect(() => createOnce(join(scratch(), 'missing/a'), 'x')).toThrow(/ENOENT/)
  })
})
