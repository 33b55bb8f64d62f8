import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { copyFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import schema from '@core-dump-handler/bundle/bundle-manifest.schema.json' with { type: 'json' }
import { type BundleManifest, parseManifest } from '@core-dump-handler/bundle'
import { createPartFile, drain, ZipWriter } from '@core-dump-handler/ingest'
import { expect, vi } from 'vitest'
import { violations } from '@core-dump-handler/testing/composer/validate'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'

const ON = { RECOMPRESS: 'true', RECOMPRESS_MIN_BYTES: '500000', CANARY: 'false' }

/** Text that takes its time to be compressed: no line is another. */
function coreOf(bytes: number): Buffer {
  const lines: string[] = []
  for (let at = 0, n = 1; at < bytes; n = (n * 48_271) % 0x7fffffff) {
    const line = `${n.toString(36)} GET /api/v1/pods/${n} level=info trace_id=${n.toString(16)}\n`
    lines.push(line)
    at += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, bytes)
}

/** Longer than a second to compress. */
const HUGE = coreOf(150_000_000)

/** A bundle in CORE_DIR, under its name at once. */
async function bundle(
  node: ScratchNode,
  name: string,
  core: Buffer,
  mode: 'store' | 'deflate' = 'store',
): Promise<string> {
  const path = join(node.coreDir, `${name}.zip`)
  const part = createPartFile(path)
  const zip = new ZipWriter(part)
  await zip.add(`${name}-dump-info.json`, '{}')
  const taken = await drain(Readable.from([core]), zip, { entryName: `${name}.core`, mode })
  const { bytes, storedBytes, treated, complete, method } = taken
  const manifest = {
    schema: 'core-dump-handler/bundle@1',
    uuid: '11111111-2222-3333-4444-555555555555',
    composer: '0.1.0',
    node: { hostname: 'n', kernel: '6' },
    crash: { time: '2026-11-23T10:00:00Z' },
    identity: { status: 'host' },
    core: {
      entry: `${name}.core`,
      bytes,
      storedBytes,
      complete,
      method,
      mode,
      treated,
      crc32: taken.crc32.toString(16).padStart(8, '0'),
    },
    timings: { heldMs: 1, lookupMs: 0, totalMs: 2 },
    problems: [],
  }
  await zip.add(`${name}-manifest.json`, JSON.stringify(manifest))
  await zip.finish()
  await part.publish()
  return path
}

const unzip = (path: string, entry: string): Buffer =>
  execFileSync('unzip', ['-p', path, entry], { maxBuffer: 1 << 28 })

function manifestOf(path: string, name: string): { manifest: BundleManifest; json: unknown } {
  const json: unknown = JSON.parse(unzip(path, `${name}-manifest.json`).toString())
  const manifest = parseManifest(json)
  if (manifest === undefined) throw new Error(`\`${path}\` has no manifest`)
  return { manifest, json }
}

/** Pids of the children that compress for the agent `parent`. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        const [, ppid] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
        return words.includes('recompress-now') && Number(ppid) === parent
      } catch {
        return false
      }
    })
}

const delivered = async (node: ScratchNode, names: readonly string[]): Promise<void> => {
  const there = async (): Promise<string[]> =>
    (await readdir(node.destination)).filter((name) => !name.startsWith('.')).toSorted()
  await vi.waitFor(async () => expect(await there()).toEqual(names), { timeout: 40_000 })
}

test('a core that was stored uncompressed is recompressed before its upload; others do not wait for it', async ({
  node,
}) => {
  const core = coreOf(20_000_000)
  await bundle(node, 'hasty', core)
  await bundle(node, 'done', core.subarray(0, 5_000_000), 'deflate')
  await bundle(node, 'small', core.subarray(0, 10_000))
  const before = await stat(join(node.coreDir, 'hasty.zip'))
  const port = await freePort()
  const agent = await node.daemon({ ...ON, HEALTH_PORT: String(port) })
  const line: unknown = JSON.parse(await agent.line(/bundle compressed in full/))
  await delivered(node, ['done.zip', 'hasty.zip', 'small.zip'])
  await agent.line(/hasty\.zip.*stored and verified/)

  const path = join(node.destination, 'hasty.zip')
  const { size } = await stat(path)
  expect(line).toMatchObject({ file: 'hasty.zip', fromBytes: before.size, bytes: size })
  expect(size).toBeLessThan(before.size * 0.6)
  expect(core.equals(unzip(path, 'hasty.core'))).toBe(true)
  const { manifest, json } = manifestOf(path, 'hasty')
  const { storedBytes = 0, recompressed } = manifest.core
  expect(recompressed).toEqual({ fromBytes: expect.any(Number), level: 3 })
  expect((recompressed?.fromBytes ?? 0) - storedBytes).toBeGreaterThan(before.size * 0.4)
  expect(violations(schema, json)).toEqual([])
  for (const name of ['done', 'small']) {
    expect(manifestOf(join(node.destination, `${name}.zip`), name).manifest.core.recompressed).toBe(
      undefined,
    )
  }
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain('core_dump_recompressions_total{outcome="replaced"} 1')
  expect(metrics).toContain(`core_dump_recompressed_saved_bytes_total ${before.size - size}`)
  expect(await readdir(node.coreDir)).toEqual([])
})

test('without RECOMPRESS a bundle is uploaded unchanged', async ({ node }) => {
  await bundle(node, 'hasty', coreOf(2_000_000))
  await node.daemon({ CANARY: 'false' })
  await delivered(node, ['hasty.zip'])
  expect(manifestOf(join(node.destination, 'hasty.zip'), 'hasty').manifest.core.recompressed).toBe(
    undefined,
  )
})

test('a damaged bundle and a file that is no zip are logged and uploaded unchanged [recompress-4]', async ({
  node,
}) => {
  const path = await bundle(node, 'damaged', coreOf(2_000_000))
  execFileSync('sh', ['-c', `printf x | dd of="$0" bs=1 seek=1000000 conv=notrunc`, path], {
    stdio: 'ignore',
  })
  await copyFile('/bin/bash', join(node.coreDir, 'foreign.zip'))
  const damaged = readFileSync(path)
  const agent = await node.daemon(ON)
  expect(JSON.parse(await agent.line(/not compressed any further/))).toMatchObject({
    file: 'damaged.zip',
    code: 'DAMAGED',
  })
  await delivered(node, ['damaged.zip', 'foreign.zip'])
  expect(damaged.equals(readFileSync(join(node.destination, 'damaged.zip')))).toBe(true)
})

test('no upload waits longer than its limit, and no file is left [recompress-3]', async ({
  node,
}) => {
  const { size } = await stat(await bundle(node, 'huge', HUGE))
  const agent = await node.daemon({ ...ON, RECOMPRESS_MAX_DELAY_SECONDS: '1' })
  await agent.line(/compressing a bundle in full was stopped/)
  await delivered(node, ['huge.zip'])
  expect((await stat(join(node.destination, 'huge.zip'))).size).toBe(size)
  expect(await readdir(node.coreDir)).toEqual([])
})

/** Nobody runs under that pid; one that nobody waited for has ended too. */
function hasEnded(pid: number): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

test('at idle priority, first to go when memory runs out, without the keys of the store', async ({
  node,
}) => {
  await bundle(node, 'huge', HUGE)
  const agent = await node.daemon({ ...ON, S3_SECRET: 'not-for-the-child' })
  const child = await vi.waitFor(
    () => {
      const [pid] = childrenOf(agent.pid)
      expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000')
      return pid ?? 0
    },
    { timeout: 20_000, interval: 5 },
  )
  await vi.waitFor(() => {
    const fields = readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    // nice and policy, proc_pid_stat(5); 5 is SCHED_IDLE
    expect([fields[16], fields[38]]).toEqual(['19', '5'])
  })
  expect(readFileSync(`/proc/${child}/environ`, 'utf8')).not.toMatch(/S3_|DESTINATION/)
})

test('SIGTERM and kill -9 of the agent end the recompression; the next agent repeats it [recompress-2]', async ({
  node,
}) => {
  const { size, ino } = await stat(await bundle(node, 'huge', HUGE))
  const begun = async (): Promise<boolean> =>
    (await readdir(node.coreDir)).some((name) => name.startsWith('.recompress-'))
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const agent = await node.daemon(ON)
    await vi.waitFor(async () => expect(await begun()).toBe(true), { timeout: 20_000, interval: 5 })
    const [child = 0] = childrenOf(agent.pid)
    expect(child).toBeGreaterThan(0)
    const before = performance.now()
    await agent.kill(signal)
    expect(performance.now() - before).toBeLessThan(2000)
    await vi.waitFor(() => expect(hasEnded(child)).toBe(true), { timeout: 20_000 })
    const now = await stat(join(node.coreDir, 'huge.zip'))
    expect([now.size, now.ino]).toEqual([size, ino])
    expect(await begun()).toBe(signal === 'SIGKILL')
  }
  // off now: what was left goes anyway, and becomes no second bundle
  const last = await node.daemon({ CANARY: 'false' })
  await delivered(node, ['huge.zip'])
  await sleep(200)
  expect(await readdir(node.coreDir)).toEqual([])
  expect(last.output()).not.toContain('composer died')
  expect(HUGE.equals(unzip(join(node.destination, 'huge.zip'), 'huge.core'))).toBe(true)
})
