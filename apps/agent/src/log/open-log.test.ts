import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'
import { describe, expect, onTestFinished } from 'vitest'
import { describeError, logLevel } from './open-log.ts'
import { redactor, visible } from './redact.ts'

test.for([
  [{}, 'info'],
  [{ LOG_LEVEL: 'Warn' }, 'warn'],
  [{ LOG_LEVEL: 'off' }, 'silent'],
  [{ LOG_LEVEL: 'loud' }, 'info'],
  [{ LOG_LEVEL: 'constructor' }, 'info'],
  [{ RUST_LOG: 'debug' }, 'debug'],
  [{ RUST_LOG: 'DEBUG', LOG_LEVEL: 'error' }, 'error'],
  [{ RUST_LOG: 'warn,core_dump_agent=trace,hyper=off' }, 'trace'],
  [{ RUST_LOG: 'core_dump_agent' }, 'trace'],
  [{ RUST_LOG: 'hyper=debug' }, 'info'],
  [{ RUST_LOG: 'warn/regex' }, 'warn'],
  [{ RUST_LOG: '=,,/' }, 'info'],
] as const)('%j means %s', ([env, level]) => {
  expect(logLevel(env)).toBe(level)
})

test('a secret is redacted in a line, also as JSON writes it', () => {
  const redact = redactor(['se"cr\\et', 'se"cr', 'plain'])
  expect(redact(JSON.stringify({ a: 'x se"cr\\et y', b: 'plain' }))).toBe(
    '{"a":"x [redacted] y","b":"[redacted]"}',
  )
})

test('a log line moves no cursor and reverses no text', () => {
  const line = visible(JSON.stringify({ file: 'a\u009b31m\u202eb\u2028' }))
  expect(line).toBe(String.raw`{"file":"a\u009b31m\u202eb\u2028"}`)
  expect(JSON.parse(line)).toEqual({ file: 'a\u009b31m\u202eb\u2028' })
})

test('of an error only name, code, message and causes are logged', () => {
  const cause = Object.assign(new Error('inner'), { code: 'ECODE', AWSAccessKeyId: 'canary' })
  const error = Object.assign(new Error('outer', { cause }), { request: { secret: 'canary' } })
  expect(describeError(error)).toEqual({
    name: 'Error',
    message: 'outer',
    cause: { name: 'Error', code: 'ECODE', message: 'inner' },
  })
  expect(describeError(new AggregateError([cause], 'two')).errors).toHaveLength(1)
  expect(describeError('text')).toEqual({ name: 'string', message: 'text' })
})

test('a cycle of causes ends', () => {
  const error = new Error('round')
  error.cause = error
  expect(JSON.stringify(describeError(error)).length).toBeLessThan(1000)
})

const CLI = join(import.meta.dirname, '../cli.ts')

/** An agent whose stderr is a pipe that is only read by `read`. */
async function unread(node: ScratchNode, env: NodeJS.ProcessEnv, args: readonly string[] = []) {
  const path = join(node.dir, 'log')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const writeEnd = openSync(path, constants.O_WRONLY)
  const flags = ['--conditions=@core-dump-handler/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, CLI, ...args], {
    env: {
      PATH: process.env['PATH'],
      HOST_DIR: node.hostDir,
      CORE_DIR: node.coreDir,
      SYSCTL_ROOT: join(node.dir, 'sys'),
      DESTINATION: `file:${node.destination}`,
      USE_INOTIFY: 'true',
      ...env,
    },
    stdio: ['ignore', 'ignore', writeEnd],
  })
  closeSync(writeEnd)
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    closeSync(fd)
  })
  let text = ''
  const read = (): string => {
    const chunk = Buffer.alloc(1024 * 1024)
    try {
      for (let n = 1; n > 0;) text += chunk.toString('utf8', 0, (n = readSync(fd, chunk)))
    } catch {
      // nothing more now
    }
    return text
  }
  return { child, ended, read }
}

describe('StderrStream', () => {
  test('a log that no one reads stops neither /healthz nor the end of the agent', async ({
    node,
  }) => {
    const port = await freePort()
    // settings that are reported with their value: more than a pipe takes
    const env = { HEALTH_PORT: String(port), SCHEDULE: 'x'.repeat(90_000) }
    const { child, ended, read } = await unread(node, env)
    const health = async (): Promise<unknown> =>
      fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(1000) }).then(
        ({ status }) => status,
        () => undefined,
      )
    await expect.poll(health, { timeout: 15_000 }).toBe(200)
    await expect
      .poll(async () => node.sysctl('kernel.core_pattern'), { timeout: 15_000 })
      .toMatch(/^\|/)
    expect(await health()).toBe(200)

    // once it is read, nothing is missing and each line is whole
    const isRead = (): boolean => read().endsWith('"msg":"uploading bundles"}\n')
    await expect.poll(isRead, { timeout: 10_000 }).toBe(true)
    const lines = read().trimEnd().split('\n')
    expect(lines.map((line) => typeof JSON.parse(line))).toEqual(lines.map(() => 'object'))
    expect(lines[0]).toContain('x'.repeat(90_000))

    const before = performance.now()
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(performance.now() - before).toBeLessThan(2500)
    expect(read().slice(-500)).toMatch(/ended; crashes still become bundles on this node"\}\n$/)
  })

  test('an agent whose log no one reads ends within its time', async ({ node }) => {
    const { ended } = await unread(node, { SCHEDULE: 'x'.repeat(90_000) }, ['remove'])
    const before = performance.now()
    expect(await Promise.race([ended, sleep(20_000)])).toEqual([0, null])
    expect(performance.now() - before).toBeLessThan(20_000)
  })

  test('the last lines are written where the reader is slow', async ({ node }) => {
    const { ended, read } = await unread(node, { SCHEDULE: 'x'.repeat(90_000) }, ['remove'])
    const reading = setInterval(read, 20)
    await ended
    clearInterval(reading)
    expect(read().slice(-500)).toMatch(
      /the node is restored as it was found; bundles and events stay"\}\n$/,
    )
  })
})
