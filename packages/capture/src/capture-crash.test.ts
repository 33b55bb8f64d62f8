import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle, readBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { describe, expect, it, onTestFinished } from 'vitest'
import { captureCrash } from './capture-crash.ts'
import { createLimiter } from './concurrency/limiter.ts'
import type { CaptureContext } from './context.ts'
import { DescriptorSource } from './core-source.ts'
import { type Crash, createCrash } from './crash.ts'
import { parseComposerSettings } from './settings/index.ts'
import { Warnings } from './warnings.ts'

const CORE = elfCore(400_000)
const LIMITER = createLimiter()

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'capture-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const crashOf = (exeName: string): Crash =>
  createCrash({
    exeName,
    pid: '7',
    signal: '11',
    kernelTimestamp: 1_700_000_000,
    pathname: `!bin!${exeName}`,
  })

/** A context of its own, and the lines of its log. */
function contextOf(
  directory: string,
  variables: Record<string, string> = {},
  more: Partial<CaptureContext> = {},
): CaptureContext & { readonly lines: string[] } {
  const lines: string[] = []
  const { settings } = parseComposerSettings({ IGNORE_CRIO: 'true', ...variables })
  return {
    lines,
    settings,
    home: undefined,
    directory,
    version: '0.0.0',
    warnings: new Warnings(),
    log: { write: (level, message) => void lines.push(`${level} ${message}`) },
    stop: { signal: new AbortController().signal, cause: undefined },
    limiter: LIMITER,
    ...more,
  }
}

/** A pipe: its reading end, and what writes to it. */
function pipe(directory: string): { fd: number; writer: number } {
  const path = join(directory, 'fifo')
  execFileSync('mkfifo', [path])
  const both = openSync(path, 'r+')
  const ends = { fd: openSync(path, 'r'), writer: openSync(path, 'w') }
  closeSync(both)
  rmSync(path)
  return ends
}

describe('captureCrash', () => {
  it('captures two crashes at once in one process, each into its own bundle', async () => {
    const directory = scratch()
    const started = ['first', 'second'].map((name) => {
      const { fd, writer } = pipe(directory)
      const source = new DescriptorSource(fd)
      const variables = { FILENAME_TEMPLATE: '{exe_name}', MAX_CORE_BYTES: '10' }
      const context = contextOf(
        directory,
        name === 'first' ? variables : { FILENAME_TEMPLATE: name },
      )
      return { name, writer, source, context, result: captureCrash(crashOf(name), source, context) }
    })
    for (const { writer } of started) {
      writeSync(writer, CORE.subarray(0, 50_000))
      closeSync(writer)
    }
    for (const { name, result, context } of started) {
      const { path } = await result
      expect(path).toBe(join(directory, `${name}.zip`))
      const { manifest } = await readBundle(path ?? '')
      expect(manifest.crash.comm).toBe(name)
      expect(manifest.core.bytes).toBe(name === 'first' ? 10 : 50_000)
      expect(manifest.problems.map(({ code }) => code)).toEqual(
        name === 'first' ? ['CORE_CUT'] : [],
      )
      expect(context.lines.at(-1)).toMatch(new RegExp(`^info Wrote .*/${name}.zip`))
    }
  })

  it('C8: releases a crash that is only recorded at once, whatever other crashes do', async () => {
    const directory = scratch()
    const limiter = createLimiter({ limit: 1 })
    const { stop, warnings } = contextOf(directory)
    const slow = await limiter.acquire({ scope: 'host /bin/x x', released: false, stop, warnings })
    const { fd, writer } = pipe(directory)
    onTestFinished(() => closeSync(writer))
    const source = new DescriptorSource(fd)
    const context = contextOf(directory, { HONOR_CORE_LIMIT: 'true' }, { limiter })
    // the kernel has more to write than a pipe holds, and never ends
    writeSync(writer, CORE.subarray(0, 60_000))
    await captureCrash({ ...crashOf('x'), limitSize: '0' }, source, context)
    slow.release()
    expect(source.heldMs).toBeLessThan(1000)
    const { manifest } = await onlyBundle(directory)
    expect(manifest.core).toMatchObject({ bytes: 0, reasonCode: 'CORE_REFUSED' })
    expect(manifest.timings.heldMs).toBe(source.heldMs)
  })

  it('C5: records a crash above the limit when the one before it could not', async () => {
    const home = scratch()
    const directory = join(home, 'cores')
    const variables = { RATE_CRASHES: '1', RATE_WINDOW_SECONDS: '86400' }
    const bytesOf = async (): Promise<number[]> => {
      const { fd, writer } = pipe(home)
      writeSync(writer, CORE.subarray(0, 1000))
      closeSync(writer)
      const context = contextOf(directory, variables, { home })
      await captureCrash(crashOf('loop'), new DescriptorSource(fd), context)
      const files = readdirSync(directory).map((name) => readBundle(join(directory, name)))
      const bundles = await Promise.all(files)
      return bundles.map(({ manifest }) => manifest.core.bytes).toSorted((a, b) => a - b)
    }
    expect(await bytesOf()).toEqual([1000])
    expect(await bytesOf()).toEqual([0, 1000])
    expect(await bytesOf()).toEqual([0, 1000])
    // as if the second had been killed before it could write
    const record = readdirSync(join(home, 'rate')).find((name) => name.endsWith('.json')) ?? ''
    rmSync(join(home, 'rate', record))
    expect(await bytesOf()).toEqual([0, 0, 1000])
  })

  it('C9: logs a failure and releases the process before it waits for anything', async () => {
    const directory = scratch()
    const { fd, writer } = pipe(directory)
    onTestFinished(() => closeSync(writer))
    const source = new DescriptorSource(fd)
    let loggedWhileHeld: boolean | undefined
    const context = contextOf(
      '/proc/nowhere',
      {},
      {
        limiter: {
          acquire: async () => ({
            load: 'low',
            drained: async () => 'low',
            release: () => (loggedWhileHeld = context.lines.length === 1),
          }),
        },
      },
    )
    await expect(captureCrash(crashOf('web'), source, context)).rejects.toThrow(/ENOENT/)
    const heldMs = source.heldMs
    await sleep(20)
    expect(source.heldMs).toBe(heldMs)
    expect(loggedWhileHeld).toBe(true)
    expect(context.lines).toEqual([
      expect.stringMatching(/^error Could not make a bundle of `web`, signal 11, at 1700000000: /),
    ])
  })
})
