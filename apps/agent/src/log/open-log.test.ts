import { expect, test } from 'vitest'
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
