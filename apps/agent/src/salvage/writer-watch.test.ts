import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { listParts } from './salvage-bundles.ts'
import { runningComposers, WriterWatch } from './writer-watch.ts'

/** A process that calls itself `name` and does nothing. */
function sleeper(name: string, wrap: readonly string[] = []): number {
  const command = [...wrap, 'bash', '-c', `exec -a ${name} sleep 60`]
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  return child.pid ?? 0
}

const pids = async (): Promise<number[]> =>
  [...(await runningComposers('/proc'))].map((id) => Number(id.split(':')[0]))

test('a composer is recognised by its name under any user and without any capability', async () => {
  const [deployed, other] = [sleeper('/opt/host/cdc'), sleeper('/opt/host/other')]
  await expect.poll(pids).toContain(deployed)
  expect(await pids()).not.toContain(other)

  const module = JSON.stringify(join(import.meta.dirname, 'writer-watch.ts'))
  const script = `const { runningComposers } = await import(${module})
    console.log(JSON.stringify([...(await runningComposers('/proc'))]))`
  const bare = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', process.execPath]
  const seen = execFileSync('setpriv', [...bare, '--input-type=module', '-e', script])
  expect(JSON.parse(seen.toString())).toContainEqual(
    expect.stringMatching(new RegExp(`^${deployed}:\\d+$`)),
  )
})

test.for([
  ['/opt/host/cdc -c=0', true],
  ['/opt/host/node /opt/host/cdc', true],
  ['node --require /x/hook.cjs /opt/host/cdc.cjs', true],
  ['node --conditions=source apps/composer/src/cdc.ts', true],
  ['node node_modules/.bin/composer --dir out', true],
  ['core-dump-receiver', true],
  ['node --conditions=source apps/receiver/bin/receiver.js', true],
  ['core-dump-receiver helper', false],
  ['node apps/receiver/bin/receiver.js helper', false],
  ['node /x/vitest run apps/composer', false],
  ['bash /x/work npx vitest apps/composer', false],
  ['vim apps/composer', false],
  ['composer.phar install', false],
  ['', false],
] as const)('%s: a composer: %s', async ([words, isOne], { node }) => {
  const process = join(node.dir, 'proc/4711')
  await mkdir(process, { recursive: true })
  await writeFile(join(process, 'status'), 'NSpid:\t4711\n')
  await writeFile(join(process, 'cmdline'), words.replaceAll(' ', '\0'))
  await writeFile(join(process, 'stat'), `4711 (x) S ${'0 '.repeat(18)}77 0`)
  expect([...(await runningComposers(join(node.dir, 'proc')))]).toEqual(isOne ? ['4711:77'] : [])
})

test('a title that a program chose is no command line', async ({ node }) => {
  const process = join(node.dir, 'proc/4711')
  await mkdir(process, { recursive: true })
  await writeFile(join(process, 'status'), 'NSpid:\t4711\n')
  await writeFile(join(process, 'cmdline'), 'npm exec vitest run apps/composer\0\0')
  expect((await runningComposers(join(node.dir, 'proc'))).size).toBe(0)
})

test('a process in a container with the name of a composer does not prevent a salvage [left-over-7]', async () => {
  const outside = sleeper('/x/cdc', ['unshare', '--pid', '--fork', '--kill-child'])
  const inside = async (): Promise<string> =>
    execFileSync('ps', ['-o', 'args=', '--ppid', String(outside)]).toString()
  await expect.poll(async () => inside().catch(() => '')).toContain('/x/cdc')
  const contained = execFileSync('pgrep', ['-P', String(outside)])
    .toString()
    .trim()
  expect(await pids()).not.toContain(Number(contained))
})

test.skipIf(!canMountSilentFiles())(
  'the command line of a process in a container, which may never come, is not asked for',
  async ({ node }) => {
    const procRoot = join(node.dir, 'proc')
    await mkdir(join(procRoot, '4711'), { recursive: true })
    await writeFile(join(procRoot, '4711/status'), 'NSpid:\t4711\t1\n')
    await writeFile(join(procRoot, '4711/cmdline'), '')
    const { release } = await mountSilentFile(join(procRoot, '4711/cmdline'))
    try {
      expect((await runningComposers(procRoot)).size).toBe(0)
    } finally {
      // before the fixture removes what it is mounted on
      await release()
    }
  },
)

test('only composers that ran when the file was first seen count as its writer', async ({
  node,
}) => {
  const path = join(node.coreDir, '.a.zip.part')
  await writeFile(path, 'a')
  const procRoot = join(node.dir, 'proc')
  await mkdir(procRoot)
  const look = async (): Promise<readonly string[]> =>
    watch.abandoned(await listParts(node.coreDir))
  const seen = async (pid: string | number): Promise<void> =>
    symlink(`/proc/${pid}`, join(procRoot, String(pid)))
  const watch = new WriterWatch({ procRoot, maxLifeMs: 1e9, quietMs: 0 })
  const writer = sleeper('/h/cdc')
  await expect.poll(pids).toContain(writer)
  await seen('self')
  await seen(writer)
  expect(await look()).toEqual([])

  const later = sleeper('/h/cdc')
  await expect.poll(pids).toContain(later)
  await seen(later)
  process.kill(writer, 'SIGKILL')
  await expect.poll(pids).not.toContain(writer)
  await expect.poll(look).toEqual(['.a.zip.part'])

  // it changes: a process that is alive has written it
  await writeFile(path, 'b', { flag: 'a' })
  expect(await look()).toEqual([])
})

test('where processes cannot be seen, only a file older than any composer is salvaged', async ({
  node,
}) => {
  const maxLifeMs = 1500
  await writeFile(join(node.coreDir, '.a.zip.part'), 'a')
  const watch = new WriterWatch({ procRoot: node.dir, maxLifeMs, quietMs: 0 })
  const look = async (): Promise<readonly string[]> =>
    watch.abandoned(await listParts(node.coreDir))
  expect(await look()).toEqual([])
  await sleep(maxLifeMs)
  await writeFile(join(node.coreDir, '.a.zip.part'), 'b', { flag: 'a' })
  const writtenMs = performance.now()
  expect(await look()).toEqual([])
  await expect.poll(look, { timeout: 10_000 }).toEqual(['.a.zip.part'])
  expect(performance.now() - writtenMs).toBeGreaterThan(maxLifeMs)
})

test('a file that was written a moment ago is not salvaged yet', async ({ node }) => {
  const path = join(node.coreDir, '.a.zip.part')
  await writeFile(path, 'a')
  const watch = new WriterWatch({ procRoot: '/proc', maxLifeMs: 1e9, quietMs: 60_000 })
  const stats = await lstat(path, { bigint: true })
  expect(await watch.abandoned(new Map([['.a.zip.part', stats]]))).toEqual([])
})

test('of the receiver, only the files that it reports as unfinished are left alone', async ({
  node,
}) => {
  const proc = join(node.dir, 'proc')
  const receiver = { pid: 4711, parts: ['.a.zip.part'] }
  for (const name of ['a', 'b']) await writeFile(join(node.coreDir, `.${name}.zip.part`), 'a')
  await mkdir(join(proc, '4711'), { recursive: true })
  await mkdir(join(proc, 'self/ns'), { recursive: true })
  await symlink('pid:[4026531836]', join(proc, 'self/ns/pid'))
  await writeFile(join(proc, '4711/status'), 'NSpid:\t4711\n')
  await writeFile(join(proc, '4711/cmdline'), 'core-dump-receiver\0')
  await writeFile(join(proc, '4711/stat'), `4711 (x) S ${'0 '.repeat(18)}77 0`)
  const options = { procRoot: proc, maxLifeMs: 600_000, quietMs: 0 }
  const look = async (watch: WriterWatch) => watch.abandoned(await listParts(node.coreDir))
  const watch = new WriterWatch({ ...options, receiver: () => receiver })
  expect(await look(watch)).toEqual(['.b.zip.part'])
  // without its report it may be writing any of them
  expect(await look(new WriterWatch(options))).toEqual([])
})
