import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { ROOT } from '../../scripts/set-up/root.mjs'

const START = join(ROOT, 'scripts/start.mjs')
const root = process.getuid?.() === 0

interface Ended {
  readonly code: number | undefined
  readonly output: string
}

/** Run the demo as `npm run demo` does; `react` sees its output grow. */
async function demo(
  command: readonly [string, ...string[]],
  react?: (output: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Ended> {
  const [program, ...args] = command
  const child = execa(program, args, { stdin: 'ignore', all: true, reject: false })
  let output = ''
  child.all.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    react?.(output, (signal) => child.kill(signal))
  })
  const { exitCode: code } = await child
  return { code, output }
}

/** The scratch folder that the demo named in its output. */
function scratchOf(output: string): string {
  return /(\/\S*\/cdh-\w+)\//.exec(output)?.[1] ?? expect.fail(`no scratch folder in:\n${output}`)
}

test.runIf(root)('the demo follows a real crash to an object and restores everything', async () => {
  const { code, output } = await demo([process.execPath, START, 'demo'])

  expect(output).toMatch(/took over kernel\.core_pattern: \|\S+\/cdc /)
  expect(output).toMatch(/ended by SIGSEGV/)
  expect(output).toMatch(/object {2,}\S+\.zip \(/)
  expect(output).toMatch(/core {2,}8\.\d MB, complete/)
  expect(output).toMatch(/held {2,}\d+ ms/)
  expect(output).toMatch(/\d k?B {2}…-manifest\.json/)
  // it ends with the whole report of the crash
  const report = output.slice(output.indexOf('crash-demo crashed: SIGSEGV'))
  expect(report).toMatch(
    /^crash-demo crashed: SIGSEGV[^]*#0 +crash_here[^]*\nRegisters:\n[^]*\nModules:\n(0x\S+ +\S+ .*\n?)+$/,
  )
  expect(output).toContain('The object is gone with the scratch folder')
  expect(code).toBe(0)
  // the demo compares under the lock; after that another test may set the pattern
  expect(output).toContain('everything is as before: kernel.core_pattern is ')
  expect(existsSync(scratchOf(output))).toBe(false)
})

test.runIf(root)('Ctrl-C during the demo restores everything', async () => {
  let sent = false
  const { code, output } = await demo([process.execPath, START, 'demo'], (text, kill) => {
    if (sent || !text.includes('took over')) return
    sent = true
    kill('SIGINT')
  })

  expect(output).toContain('SIGINT: stopped, everything is as it was before')
  expect(code).toBe(130)
  expect(output).toContain('everything is as before: kernel.core_pattern is ')
  expect(existsSync(scratchOf(output))).toBe(false)
})

test('the demo pipes a core into the composer where the pattern cannot be written', async () => {
  const readOnly = 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys'
  const { code, output } = await demo(
    root
      ? [
          'unshare',
          '--mount',
          'sh',
          '-c',
          `${readOnly} && exec "$0" "$@"`,
          process.execPath,
          START,
          'demo',
        ]
      : [process.execPath, START, 'demo'],
  )

  expect(output).toMatch(/: piping a core into the composer instead/)
  expect(output).toMatch(/object {2,}\S+\.zip \(/)
  expect(output).toMatch(/identity {2,}unverified/)
  expect(code).toBe(0)
})
