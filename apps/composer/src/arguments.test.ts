import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Arguments, FLAGS, parseArguments as parseBytes, rawArguments } from './arguments.ts'

const parseArguments = (words: string[]): Arguments =>
  parseBytes(words.map((word) => Buffer.from(word)))

const SHORT = Object.entries(FLAGS).filter(([, short]) => short !== '')

test.for(SHORT)('takes --%s and -%s in every form', ([name, short]) => {
  for (const words of [
    [`-${short}=v=1`],
    [`-${short}`, 'v=1'],
    [`-${short}v=1`],
    [`--${name}=v=1`],
    [`--${name}`, 'v=1'],
  ]) {
    const { values, warnings } = parseArguments(words)
    expect(values, words.join(' ')).toEqual({ [name]: 'v=1' })
    expect(warnings).toEqual([])
  }
})

test('takes an empty value', () => {
  expect(parseArguments(['-e=', '-h', '', '--pid=']).values).toEqual({
    'exe-name': '',
    hostname: '',
    pid: '',
  })
})

test('takes a value that looks like a flag as the value it is', () => {
  expect(parseArguments(['-e=-d=/etc', '-h', '--dir=/etc', '-p=1']).values).toEqual({
    'exe-name': '-d=/etc',
    hostname: '--dir=/etc',
    pid: '1',
  })
})

test('records unknown words and does not fail', () => {
  const { values, warnings } = parseArguments([
    '-e=Web',
    'Content',
    '--wat',
    '-Z=1',
    '-',
    '',
    '-p=7',
    '-s',
  ])
  expect(values).toEqual({ 'exe-name': 'Web', pid: '7' })
  expect(warnings.map(({ code }) => code)).toEqual([
    ...Array.from({ length: 5 }, () => 'UNKNOWN_ARGUMENT'),
    'MISSING_VALUE',
  ])
})

test('takes the last of a repeated flag, with a warning', () => {
  const { values, warnings } = parseArguments(['-P=1', '-P=2'])
  expect(values['host-pid']).toBe('2')
  expect(warnings).toMatchObject([{ code: 'REPEATED_ARGUMENT' }])
})

test('takes switches, also with a value', () => {
  expect([...parseArguments(['-D', '--self-test']).switches]).toEqual([
    'disable-compression',
    'self-test',
  ])
  expect(parseArguments(['-D=false']).switches.size).toBe(0)
  expect(parseArguments(['--test-threads', '4']).values).toEqual({ 'test-threads': '4' })
})

test('keeps the bytes of a name cut inside a character beside its text', () => {
  const comm = Buffer.from('-e=caf\xc3', 'latin1')
  const { values, undecoded, warnings } = parseBytes([comm, Buffer.from('-h=é')])
  expect(values).toEqual({ 'exe-name': 'caf\uFFFD', hostname: 'é' })
  expect(undecoded).toEqual({ 'exe-name': Buffer.from('caf\xc3', 'latin1') })
  expect(warnings).toEqual([])
})

test('gets the bytes of words that are not UTF-8 from the command line', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'composer-'))
  const path = join(dir, 'cmdline')
  await writeFile(path, Buffer.from('node\0cdc\0-e=a\xff\0\0-p=1\0', 'latin1'))
  expect(rawArguments(['-e=a\uFFFD', '', '-p=1'], path)).toEqual([
    Buffer.from('-e=a\xff', 'latin1'),
    Buffer.alloc(0),
    Buffer.from('-p=1'),
  ])
  expect(rawArguments(['-e=a\uFFFD'], join(dir, 'absent'))).toEqual([Buffer.from('-e=a\uFFFD')])
  await rm(dir, { recursive: true })
})
