import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { bundleComposer } from '../build/bundle.ts'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { crictlOfPod } from '@core-dump-handler/testing/cri/crictl-pod'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { test as base } from '@core-dump-handler/testing/composer/run-composer'
import { WEB_POD } from '@core-dump-handler/testing/composer/scratch-node'

const CORE = elfCore(200_000)

interface Node {
  readonly home: string
  readonly cores: string
  /** Runs `<home>/cdc` as the kernel does: fds 1 and 2 closed, empty environment, cwd `/`. */
  crash(args: string): void
}

// the file that is deployed, with the name and the #! line it has on a node
const test = base.extend<{ node: Node }>({
  node: async ({ dir }, use) => {
    const home = join(dir, 'home')
    const cores = join(dir, 'cores')
    await mkdir(home)
    await bundleComposer(join(home, 'cdc'))
    await writeFile(
      join(home, 'cdc'),
      `#!${process.execPath}\n${await readFile(join(home, 'cdc'), 'utf8')}`,
    )
    await chmod(join(home, 'cdc'), 0o755)
    await writeFile(join(home, '.env'), `CORE_DIR=${cores}\nCRI_CLIENT=crictl\nCORE_EVENTS=true\n`)
    await use({
      home,
      cores,
      crash: (args) => {
        const script = `cd / && exec env -i ${home}/cdc ${args} >&- 2>&-`
        const { status, signal } = spawnSync('/bin/sh', ['-c', script], { input: CORE })
        expect({ status, signal }).toEqual({ status: 0, signal: null })
      },
    })
  },
})

describe('installed as cdc', () => {
  test('reads the .env beside it, started as by the kernel', async ({ node }) => {
    const crictl = crictlOfPod(node.home, WEB_POD)
    node.crash("-c=0 '-e=web' -p=1 -s=11 -t=1700000000 -h=web-1 -E=!bin!web")
    const bundle = await onlyBundle(node.cores)
    expect((await bundle.bytes('.core')).equals(CORE)).toBe(true)
    expect(bundle.entries).toHaveLength(8)
    expect(await readdir(join(node.home, 'events'))).toHaveLength(1)
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toMatch(/^INFO - .* - Wrote /m)
    expect(crictl.calls().length).toBeGreaterThan(3)
  })

  test('reads a small core before it loads the code of look-up and compression', async ({
    node,
  }) => {
    // keeps what Node has loaded when the first socket, fd 0, is closed
    const spy = join(node.home, 'spy.cjs')
    await writeFile(
      spy,
      `const { existsSync, writeFileSync } = require('fs')
       const { prototype } = require('net').Socket
       const { destroy } = prototype
       prototype.destroy = function (...args) {
         const file = ${JSON.stringify(join(node.home, 'loaded'))}
         if (!existsSync(file)) writeFileSync(file, process.moduleLoadList.join('\\n'))
         return destroy.apply(this, args)
       }`,
    )
    const env = { COMPOSER_HOME: node.home, CORE_DIR: node.cores, IGNORE_CRIO: 'false' }
    // a pipe, as the kernel's: spawnSync gives a socket pair
    const script = `cat "$0" | "$1" -r "$2" "$3"`
    const core = join(node.home, 'a.core')
    await writeFile(core, CORE)
    const args = ['-c', script, core, process.execPath, spy, join(node.home, 'cdc')]
    spawnSync('/bin/sh', args, { env: { ...env, PATH: '/bin:/usr/bin' } })
    const loaded = (await readFile(join(node.home, 'loaded'), 'utf8')).split('\n')
    expect(loaded).toContain('NativeModule net')
    // child_process comes with listening on a socket, in 1 ms
    for (const heavy of ['http2', 'crypto', 'zlib']) {
      expect(loaded).not.toContain(`NativeModule ${heavy}`)
    }
  })
})
