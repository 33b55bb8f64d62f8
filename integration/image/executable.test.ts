import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { corePattern } from '@core-dump-handler/composer'
import { expect, onTestFinished, test } from 'vitest'
import { deployExecutable } from '@core-dump-handler/agent/internal/deploy/deploy-composer'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { builtImage } from './built-image.ts'
import { makeRoot, ROOT_NAMES, unmountRoot } from './roots.ts'

realParts('the composer as one executable', () => {
  test('handles a crash of this machine', async () => {
    const home = join(scratch(), 'h')
    await install(home, home)
    const bundle = await crash(corePattern(home).pattern, home)
    expect(bundle.manifest.problems).toEqual([])
  })

  test.for(ROOT_NAMES)('handles a crash on a host with %s', async (name) => {
    const root = scratch()
    onTestFinished(() => unmountRoot(root))
    makeRoot(root, name)
    await install(join(root, 'h'), '/h')
    // the kernel starts handlers in the machine's root: the first step leads into the other one
    const pattern = corePattern('/h')
      .pattern.replace('|', `|/usr/sbin/chroot ${root} `)
      .slice(0, 127)
    const bundle = await crash(pattern.slice(0, pattern.lastIndexOf(' -')), join(root, 'h'))
    expect(bundle.manifest.crash.signalName).toBe('SIGSEGV')
  })

  test('runs in an empty root and environment', async () => {
    const root = scratch()
    await install(join(root, 'h'), '/h')
    const feed = 'head -c 3000000 /dev/urandom | env -i /usr/sbin/chroot "$1" /h/cdc -c=0'
    await execa('/bin/sh', ['-c', feed, 'sh', root])
    const [name = ''] = readdirSync(join(root, 'h/cores'))
    const { manifest } = await Bundle.open(join(root, 'h/cores', name))
    expect(manifest.core).toMatchObject({ bytes: 3_000_000, engine: 'isal' })
  })
})

function scratch(): string {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  return directory
}

/** Puts the executable where the host sees it as `home`; `path` is the same place seen from here. */
async function install(path: string, home: string): Promise<void> {
  const { composer } = await builtImage()
  mkdirSync(join(path, 'cores'), { recursive: true, mode: 0o700 })
  await deployExecutable(composer, path)
  if (path !== home) await relocateTo(path, home)
  writeFileSync(join(path, '.env'), `CORE_DIR=${home}/cores\nIGNORE_CRIO=true\n`)
}

async function relocateTo(path: string, home: string): Promise<void> {
  const { closeSync, openSync } = await import('node:fs')
  const { relocateExecutable } =
    await import('@core-dump-handler/agent/internal/deploy/patch-executable')
  const libraries = readdirSync(path).find((name) => name.startsWith('lib-')) ?? ''
  const fd = openSync(join(path, 'cdc'), 'r+')
  relocateExecutable(fd, join(home, libraries))
  closeSync(fd)
}

/** Crash a program while the kernel has `pattern`, and return the bundle that is its. */
async function crash(pattern: string, path: string): Promise<Bundle> {
  const cores = join(path, 'cores')
  const finished = (): string | undefined =>
    readdirSync(cores).find((name) => name.endsWith('.zip'))
  await withKernel(async () => {
    setCoreSysctl('kernel.core_pipe_limit', '16')
    setCoreSysctl('kernel.core_pattern', pattern)
    await runUntilCrash(testProgram('crasher'), ['-m', '4'])
    await until('a bundle', finished)
  })
  const bundle = await Bundle.open(join(cores, finished() ?? ''))
  const core = await bundle.extractCore()
  expect(bundle.entry('.core').bytes).toBe(await promisedBytes(core))
  expect(bundle.manifest.core.complete).toBe(true)
  return bundle
}
