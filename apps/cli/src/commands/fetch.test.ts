import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { cdhCommand, type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { cuttingProxy, type CuttingProxy } from '@core-dump-handler/testing/network/cutting-proxy'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import { startVersitygw, type Versitygw } from '@core-dump-handler/testing/store/versitygw'
import { until } from '@core-dump-handler/testing/until'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openStore } from '../store/open-store.ts'

const START_MS = 600_000
const MB = 1_000_000
const CORE = randomBytes(8 * MB)

let gateway: Versitygw
let proxy: CuttingProxy
let directory: string
let count = 0

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-fetch-'))
  gateway = await startVersitygw()
  proxy = await cuttingProxy(gateway.endpoint)
}, START_MS)

afterAll(async () => {
  proxy?.close()
  await gateway?.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('cdh fetch', () => {
  let folder: string
  let out: string
  let env: Readonly<Record<string, string>>
  let stored: Buffer

  beforeEach(async () => {
    const prefix = `crashes-${++count}`
    folder = join(gateway.folder, prefix)
    out = join(directory, `out-${count}`)
    mkdirSync(folder)
    proxy.limit = undefined
    stored = readFileSync(await writeBundle(folder, { name: 'web', entries: { '.core': CORE } }))
    env = {
      CDH_STORE: `s3://${gateway.bucket}/${prefix}`,
      AWS_ACCESS_KEY_ID: gateway.accessKey,
      AWS_SECRET_ACCESS_KEY: gateway.secret,
      AWS_ENDPOINT_URL: proxy.url,
    }
  })

  const fetch = (...args: readonly string[]): Promise<CdhRun> =>
    runCdh(['fetch', 'web', '-o', out, ...args], env)

  /** Starts a fetch, and kills it when a part of it has arrived and the store sends no more. */
  async function killedFetch(): Promise<number> {
    proxy.limit = { bytes: 3 * MB, by: 'stall' }
    const [program, ...args] = cdhCommand(['fetch', 'web', '-o', out])
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'ignore' })
    const part = join(out, 'web.zip.part')
    await until('a part has arrived', () => existsSync(part) && statSync(part).size >= 3 * MB)
    child.kill('SIGKILL')
    await once(child, 'close')
    proxy.limit = undefined
    return statSync(part).size
  }

  it('resumes after kill -9, and loads no byte twice', async () => {
    const there = await killedFetch()
    const before = proxy.passedBytes
    expect(await fetch()).toMatchObject({ code: 0, stdout: join(out, 'web.zip') })
    expect(readFileSync(join(out, 'web.zip')).equals(stored)).toBe(true)
    expect(readdirSync(out)).toEqual(['web.zip'])
    // the end of the bundle, and the list, are asked for again
    expect(proxy.passedBytes - before).toBeLessThan(stored.length - there + 200_000)
  })

  it('begins again when the object was replaced since, by one of any size', async () => {
    for (const bytes of [CORE.length, 1000]) {
      await killedFetch()
      const path = await writeBundle(directory, {
        name: 'web',
        entries: { '.core': randomBytes(bytes) },
      })
      const replaced = readFileSync(path)
      rmSync(path)
      // a new file: versitygw keeps the ETag in an attribute of the old one
      rmSync(join(folder, 'web.zip'))
      writeFileSync(join(folder, 'web.zip'), replaced)
      expect((await fetch()).code).toBe(0)
      expect(readFileSync(join(out, 'web.zip')).equals(replaced)).toBe(true)
      rmSync(out, { recursive: true })
      rmSync(join(folder, 'web.zip'))
      writeFileSync(join(folder, 'web.zip'), stored)
    }
  })

  it('fails when the object is replaced while it is read', async () => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const store = await openStore(env['CDH_STORE'] ?? '', { endpoint: proxy.url })
    try {
      const object = (await store.find('web.zip')) ?? expect.fail('no object')
      const changed = { ...object, etag: '"00000000000000000000000000000000"' }
      await expect(store.stream(changed, 0, 10)).rejects.toMatchObject({
        code: 'STORE',
        message: expect.stringMatching(/list again: the object was replaced meanwhile$/),
      })
    } finally {
      store.close()
      vi.unstubAllEnvs()
    }
  })

  it('continues in one run when the store cuts each connection', async () => {
    proxy.limit = { bytes: 3 * MB, by: 'close' }
    expect((await fetch()).code).toBe(0)
    expect((await fetch('--core')).code).toBe(0)
    expect(readFileSync(join(out, 'web.zip')).equals(stored)).toBe(true)
    expect(readFileSync(join(out, 'web.core')).equals(CORE)).toBe(true)
    expect(await runCdh(['verify', 'web'], env)).toMatchObject({ code: 0, stderr: '' })
  })

  it('says how much room a core needs', async () => {
    await using disk = smallDisk(directory, 4)
    if (disk === undefined) return
    out = disk.path
    expect(await fetch('--core')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^cdh: Cannot write `.*web\.core`: it needs 16 MB and \d.* are free; choose another directory/,
      ),
    })
    expect(readdirSync(out)).toEqual([])
  })

  it('keeps what has arrived when the disk is full, and continues when there is room', async () => {
    const full = mkdtempSync(join(directory, 'full-'))
    await using disk = smallDisk(full, 4)
    if (disk === undefined) return
    out = disk.path
    expect(await fetch()).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^cdh: Cannot write `.*web\.zip\.part`: ENOSPC.*; make room, or/,
      ),
    })
    const kept = join(out, 'web.zip.part')
    expect(statSync(kept).size).toBeGreaterThan(3 * MB)
    const room = join(full, 'room')
    mkdirSync(room)
    writeFileSync(join(room, 'web.zip.part'), readFileSync(kept))
    out = room
    expect((await fetch()).code).toBe(0)
    expect(readFileSync(join(room, 'web.zip')).equals(stored)).toBe(true)
  })

  it('says what to do when there can be no such directory', async () => {
    const file = join(directory, `file-${count}`)
    writeFileSync(file, '')
    for (const [path, reason] of [
      [file, 'EEXIST'],
      [join(file, 'below'), 'EEXIST'],
      ['/proc/cdh/below', 'ENOENT'],
    ] as const) {
      out = path
      const { code, stderr } = await fetch()
      expect(stderr).toMatch(new RegExp(`^cdh: Cannot write .*${reason}.*another directory$`))
      expect(code).toBe(1)
    }
  })

  it('says what a bundle without minicore or core has instead', async () => {
    expect(await fetch('--mini')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/has no minicore; use --core$/),
    })
    const core = { bytes: 0, complete: false, reason: 'the limit was reached' }
    await writeBundle(folder, { name: 'mini', manifest: { core }, entries: { '-mini.core': 'x' } })
    const mini = await runCdh(['fetch', 'mini', '--core', '-o', out], env)
    expect(mini.stderr).toMatch(/has no core: the limit was reached; use --mini$/)
    await writeBundle(folder, { name: 'none', manifest: { core } })
    for (const flag of ['--core', '--mini']) {
      const none = await runCdh(['fetch', 'none', flag, '-o', out], env)
      expect(none.stderr).toMatch(/; `cdh show` prints what it has$/)
    }
  })

  it('lists the paths as JSON', async () => {
    const { stdout } = await fetch('--core', '--json')
    expect(JSON.parse(stdout)).toEqual({ files: [join(out, 'web.core')] })
  })
})
