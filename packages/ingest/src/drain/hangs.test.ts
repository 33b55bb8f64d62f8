import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { freezableDisk } from '@core-dump-handler/testing/freezable-disk'
import { exited } from '@core-dump-handler/testing/pipe'
import { test } from '@core-dump-handler/testing/scratch'

/** Drains text for 30 MB into `$0`, while `$1` threads of libuv's pool, which has 4, hang in open(2). */
const POOL_HANGS = `
  import { execFileSync } from 'node:child_process'
  import { open } from 'node:fs'
  import { createPartFile, drain, ZipWriter } from '${new URL('../index.ts', import.meta.url).href}'
  const [path, threads] = process.argv.slice(1)
  for (let i = 0; i < Number(threads); i++) {
    execFileSync('mkfifo', [\`\${path}.\${i}\`])
    open(\`\${path}.\${i}\`, 'r', () => {})
  }
  async function* text() {
    for (let i = 0; i < 300; i++) yield Buffer.alloc(100_000, 'some text that compresses, and ' + i)
  }
  const zip = new ZipWriter(await createPartFile(path))
  await drain(text(), zip, {
    entryName: 'x.core',
    mode: 'adaptive',
    holdBudgetMs: 300,
    onRelease: (heldMs) => process.stdout.write(String(heldMs)),
  })
`

test('C1: closes the source after the hold budget although every thread of the pool hangs', async ({
  dir,
}) => {
  const path = join(dir, 'a.zip')
  const args = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', POOL_HANGS]
  const child = spawn(process.execPath, [...args, path, '4'], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '4' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [heldMs] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) })
    expect(Number(heldMs)).toBeGreaterThan(290)
    const { size } = await stat(join(dir, '.a.zip.part'))
    expect(size).toBeGreaterThan(25_000_000)
  } finally {
    child.kill('SIGKILL')
    await exited(child)
  }
})

/** Drains stdin into `$0` until SIGTERM; prints the megabytes drained, and `released`. */
const DISK_HANGS = `
  import { createPartFile, drain, ZipWriter } from '${new URL('../index.ts', import.meta.url).href}'
  const stop = new AbortController()
  process.on('SIGTERM', () => stop.abort(new Error('SIGTERM')))
  const file = await createPartFile(process.argv[1])
  const zip = new ZipWriter(file)
  const core = await drain(0, zip, {
    entryName: 'x.core',
    mode: 'store',
    signal: stop.signal,
    onProgress: ({ bytes }) => process.stdout.write(bytes + '\\n'),
    onRelease: () => process.stdout.write('released\\n'),
  })
  await zip.finish()
  await file.publish()
  process.stdout.write(core.cut + '\\n')
`

test('C6: closes the source at a signal while the disk hangs', async ({ dir }) => {
  await using disk = freezableDisk(dir, 64)
  if (disk === undefined) return
  const path = join(disk.path, 'a.zip')
  const args = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', DISK_HANGS]
  const source = spawn('cat', ['/dev/urandom'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const child = spawn(process.execPath, [...args, path], {
    stdio: [source.stdout, 'pipe', 'inherit'],
  })
  source.stdout.destroy()
  const lines = createInterface(child.stdout)
  const limit = { signal: AbortSignal.timeout(10_000) }
  try {
    await once(lines, 'line', limit)
    disk.freeze()
    await sleep(200)
    child.kill('SIGTERM')
    for await (const [line] of on(lines, 'line', limit)) if (line === 'released') break
    // its writer gets SIGPIPE: the read end is closed
    await exited(source)
    expect(child.exitCode).toBeNull()
  } finally {
    source.kill()
    child.kill('SIGKILL')
  }
})
