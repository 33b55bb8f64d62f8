import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { writeCrashBundle } from '@core-dump-handler/testing/bundle/crash-bundle'
import { cdhCommand, cdhOptions, type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { writeOciImage } from '@core-dump-handler/testing/containerd/oci-image'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { until } from '@core-dump-handler/testing/until'
import { execa, execaSync } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const BACKTRACE = ['--', '-nx', '-batch', '-ex', 'thread apply all bt']
const START_MS = 600_000

const missing = missingTools('gcc', 'g++', 'gdb', 'debuginfod-find')
const noSkopeo = missingTools('skopeo')
const noLldb = missingTools('lldb')

describe.skipIf(missing)(`cdh debug${missing ? `: ${missing}` : ''}`, () => {
  let directory: string
  let program: string
  /** The program is not where it was: a copy of it is here. */
  let kept: string
  let uuid: string
  let count = 0

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'cdh-debug-test-'))
    program = join(directory, 'app', 'crash')
    mkdirSync(join(directory, 'store'))
    mkdirSync(dirname(program))
    const source = programSource('crash.cpp')
    compile(directory, 'g++', ['-O1', '-g', '-pthread', '-o', program, source])
    const core = await crashCore(directory, [program, 'virtual'])
    ;({ uuid } = await writeCrashBundle(join(directory, 'store'), { core, exe: program }))
    kept = join(directory, 'kept')
    copyFileSync(program, kept)
    // what is there now is another build
    compile(directory, 'g++', ['-O0', '-g', '-pthread', '-o', program, source])
  }, START_MS)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** With an empty cache, in a directory with the other build under the name of the right one. */
  const cdh = (
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CdhRun> => {
    const cache = join(directory, `cache-${++count}`)
    return runCdh(
      ['debug', uuid, ...args],
      { CDH_STORE: `file:${join(directory, 'store')}`, XDG_CACHE_HOME: cache, ...env },
      dirname(program),
    )
  }

  const sysroot = (): string => {
    const root = join(directory, `root-${++count}`)
    mkdirSync(dirname(join(root, program)), { recursive: true })
    copyFileSync(kept, join(root, program))
    return root
  }

  it.for(['--mini', '--core'])('shows functions and lines with %s', async (which) => {
    const { code, stdout, stderr } = await cdh([which, '--sysroot', sysroot(), ...BACKTRACE])
    expect(stdout).toMatch(/#0 +shop::priceOf \(order=.*\) at .*crash\.cpp:\d+/)
    expect(stdout).toMatch(/#1 .* in main \(/)
    expect(stderr).toMatch(/(\d+) of \1 binaries found/)
    expect(code).toBe(0)
  })

  it('never gives another build to the debugger, says what is missing, and where to get it', async () => {
    const { stdout, stderr } = await cdh(['--core', ...BACKTRACE])
    expect(stdout).not.toContain('priceOf')
    expect(stdout).not.toContain('crash.cpp')
    expect(stderr).toMatch(new RegExp(`missing: ${program}  build-id [0-9a-f]{40}`))
    expect(stderr).toMatch(/--sysroot DIR.*--image \(registry\.example\/web:1\).*DEBUGINFOD_URLS/)
  })

  it('starts no lldb while a file is missing, as it takes other builds for them', async () => {
    const { code, stdout, stderr } = await cdh(['--lldb', '--', '-b', '-o', 'bt all'])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/lldb takes files of this machine.*or use gdb/)
  })

  it.skipIf(noLldb)(`shows functions in lldb${noLldb ? `: ${noLldb}` : ''}`, async () => {
    const args = ['--lldb', '--sysroot', sysroot(), '--', '-b', '-o', 'bt all', '-o', 'image list']
    const { stdout } = await cdh(args)
    expect(stdout).toMatch(/frame #0: .*`shop::priceOf\(order=.*\) at crash\.cpp:\d+/)
    // nothing of this machine but what cdh gave it
    expect(stdout).not.toMatch(/^\[.*\] \S+ 0x\w+ \/(usr|lib)/m)
  })

  it('finds binaries in the bucket, and then in the cache', async () => {
    const buildId = /build-id ([0-9a-f]{40})/.exec((await cdh(['--json'])).stderr)?.[1]
    const { modules } = JSON.parse((await cdh(['--json'])).stdout)
    const id = modules.find(({ path }: { path: string }) => path === program).buildId ?? buildId
    const binaries = join(directory, 'store', 'binaries')
    mkdirSync(binaries, { recursive: true })
    copyFileSync(kept, join(binaries, id))
    const env = { XDG_CACHE_HOME: join(directory, 'shared-cache') }
    const sourceOf = async (): Promise<string> => {
      const { modules: found } = JSON.parse((await cdh(['--json'], env)).stdout)
      return found.find(({ path }: { path: string }) => path === program).source
    }
    expect(await sourceOf()).toBe('bucket')
    expect(await sourceOf()).toBe('cache')
    // one that was changed in the cache is loaded again
    writeFileSync(join(directory, 'shared-cache/cdh/binaries', id), readFileSync(program))
    expect(await sourceOf()).toBe('bucket')
    // and one that was changed in the bucket is not used
    rmSync(join(directory, 'shared-cache'), { recursive: true })
    copyFileSync(program, join(binaries, id))
    expect(await sourceOf()).toBeUndefined()
    // nor another build with the build-id of the right one, nor the beginning of the right one
    const forged = ['-O0', '-g', '-pthread', `-Wl,--build-id=0x${id}`, '-o', join(binaries, id)]
    compile(directory, 'g++', [...forged, programSource('crash.cpp')])
    expect(await sourceOf()).toBeUndefined()
    writeFileSync(join(binaries, id), readFileSync(kept).subarray(0, 8192))
    expect(await sourceOf()).toBeUndefined()
    rmSync(binaries, { recursive: true })
  })

  it('finds stored binaries at DEBUGINFOD_URLS, as debuginfod-find does', async () => {
    const modules = JSON.parse((await cdh(['--json'])).stdout).modules
    const id = modules.find(({ path }: { path: string }) => path === program).buildId
    const files = join(directory, `web-${++count}`)
    mkdirSync(join(files, 'binaries'), { recursive: true })
    copyFileSync(kept, join(files, 'binaries', id))
    // files, and the one rewrite of docs/operations.md
    const server = createServer(({ url = '' }, response) => {
      const path = url.replace(/^\/buildid\/([0-9a-f]{16,128})\/executable$/, '/binaries/$1')
      const isFile = path !== url && existsSync(join(files, path))
      response.writeHead(isFile ? 200 : 404).end(isFile ? readFileSync(join(files, path)) : '')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${portOf(server)}`
      // a client that verifies signatures has policies between the URLs
      const urls = `ima:enforcing ${url} ima:ignore`
      const { stdout, stderr } = await cdh(BACKTRACE, { DEBUGINFOD_URLS: urls })
      expect(stdout).toMatch(/#0 +shop::priceOf \(/)
      expect(stderr).not.toContain('Left out')
      const found = await execa('debuginfod-find', ['executable', id], {
        env: { DEBUGINFOD_URLS: url, DEBUGINFOD_CACHE_PATH: join(files, 'cache') },
      })
      expect(readFileSync(found.stdout).equals(readFileSync(kept))).toBe(true)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it.skipIf(noSkopeo)(`finds binaries in an image${noSkopeo ? `: ${noSkopeo}` : ''}`, async () => {
    const image = join(directory, 'image')
    mkdirSync(image)
    writeOciImage(image, {
      name: 'test.local/web:1',
      files: { [program.slice(1)]: kept },
      config: {},
    })
    const layout = join(directory, 'layout')
    mkdirSync(layout)
    execaSync('tar', ['-xf', `${image}.tar`, '-C', layout])
    const { stdout, stderr } = await cdh(['--image', `oci:${layout}:1`, ...BACKTRACE])
    expect(stderr).not.toContain('missing:')
    expect(stdout).toMatch(/#0 +shop::priceOf \(/)
  })

  it('names the tools and their reasons when an image cannot be read', async () => {
    const { stderr } = await cdh(['--json', '--image', 'oci:/nonexistent:1'])
    expect(stderr).toMatch(/Left out image oci:\/nonexistent:1: /)
  })

  it('says what to install before it downloads anything', async () => {
    const { code, stdout, stderr } = await cdh([], { PATH: '/nonexistent' })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^cdh: Cannot start `gdb`: it is not installed; install it .*or use --lldb$/,
    )
    expect(existsSync(join(directory, `cache-${count}`))).toBe(false)
  })

  it('ends the debugger with SIGTERM, and leaves no files', async () => {
    const temporary = join(directory, 'tmp')
    mkdirSync(temporary)
    const [node, ...args] = cdhCommand(['debug', uuid, '--', '-nx'])
    const options = cdhOptions({
      CDH_STORE: `file:${join(directory, 'store')}`,
      XDG_CACHE_HOME: join(directory, 'cache-terminated'),
      TMPDIR: temporary,
    })
    // its standard input stays open: gdb waits for a command
    const child = execa(node, args, { ...options, stdin: 'pipe' })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await until('gdb waits', () => output.includes('(gdb)'))
    expect(readdirSync(temporary)).toHaveLength(1)
    child.kill('SIGTERM')
    // as gdb does
    expect((await child).exitCode).toBe(0)
    expect(readdirSync(temporary)).toEqual([])
  })

  it('ends with the code of the debugger', async () => {
    const { code } = await cdh(['--', '-nx', '-batch', '-ex', 'quit 7'])
    expect(code).toBe(7)
  })
})

describe.skipIf(missing)('a plugin of another build', () => {
  it(
    'is not taken by gdb, neither from its path nor from the current directory',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'cdh-plugin-test-'))
      try {
        const [program, plugin] = [join(directory, 'crash'), join(directory, 'plugin.so')]
        const source = programSource('plugin.c')
        // both builds have one soname, which the loader and debuggers look for
        const flags = ['-g', '-shared', '-fPIC', '-Wl,-soname,plugin.so', '-o', plugin]
        compile(directory, 'gcc', ['-g', '-pthread', '-w', '-o', program, programSource('crash.c')])
        compile(directory, 'gcc', ['-O1', ...flags, source])
        const core = await crashCore(directory, [program, 'plugin', plugin])
        mkdirSync(join(directory, 'store'))
        await writeCrashBundle(join(directory, 'store'), { core, exe: program })
        const root = join(directory, 'root')
        mkdirSync(join(root, directory), { recursive: true })
        copyFileSync(plugin, join(root, plugin))
        compile(directory, 'gcc', ['-O0', ...flags, source])

        const env = {
          CDH_STORE: `file:${join(directory, 'store')}`,
          XDG_CACHE_HOME: join(directory, 'cache'),
        }
        for (const which of ['--mini', '--core']) {
          const args = ['debug', 'latest', which]
          const wrong = await runCdh([...args, ...BACKTRACE], env, directory)
          expect(wrong.stderr).toContain(`missing: ${plugin}  build-id`)
          expect(wrong.stdout).not.toContain('plugin_inner')
          const right = await runCdh([...args, '--sysroot', root, ...BACKTRACE], env, directory)
          expect(right.stdout).toMatch(/#0 .*plugin_inner \(/)
        }
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    },
    START_MS,
  )
})
