import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { COMPOSER_SETTINGS, formatComposerEnv, parseComposerSettings } from './index.ts'

const V9_NAMES =
  'LOG_LEVEL IGNORE_CRIO INCLUDE_PROC_INFO CRIO_IMAGE_CMD USE_CRIO_CONF FILENAME_TEMPLATE LOG_LENGTH POD_SELECTOR_LABEL TIMEOUT COMPRESSION CORE_EVENTS EVENT_DIRECTORY'

test('writes the twelve lines of v9 first, in its order and unquoted', () => {
  const lines = formatComposerEnv({ IGNORE_CRIO: 'TRUE', TIMEOUT: '20' }).split('\n')
  const names = lines.map((line) => line.split('=')[0])
  expect(names.slice(0, 12).join(' ')).toBe(V9_NAMES)
  expect(names.slice(12)).toContain('CORE_DIR')
  expect(lines[1]).toBe('IGNORE_CRIO=true')
  expect(lines[5]).toBe(
    'FILENAME_TEMPLATE={uuid}-dump-{timestamp}-{hostname}-{exe_name}-{pid}-{signal}',
  )
  expect(lines[8]).toBe('TIMEOUT=20')
})

test('has only valid defaults', () => {
  expect(parseComposerSettings({}).bad).toEqual([])
  expect(parseComposerSettings(parseEnv(formatComposerEnv()))).toEqual(parseComposerSettings({}))
  expect(parseComposerSettings({}).settings).toMatchObject({
    logLevel: 'debug',
    timeoutMs: 600_000,
    logLength: 500,
    compression: true,
    procRoot: '/proc',
  })
})

test.for([
  '/with#hash',
  "/it's",
  '/say "hi"',
  "/a`b'c",
  '/a"b\'c',
  '/a = b',
  '/tail ',
  '/$HOME/${x}',
  '/back\\slash\\n',
])('reads %j back as it was written', (value) => {
  const back = parseEnv(formatComposerEnv({ CORE_DIR: value }))
  expect(back['CORE_DIR']).toBe(value.trim())
})

test('keeps a value with line breaks on one line', () => {
  const text = formatComposerEnv({ POD_SELECTOR_LABEL: 'x\nCORE_DIR=/etc\r\nTIMEOUT=0' })
  expect(text.split('\n')).toHaveLength(COMPOSER_SETTINGS.length + 1)
  expect(parseEnv(text)).toMatchObject({ CORE_DIR: '', TIMEOUT: '600' })
})

test('falls back for every value that is not valid and lists each', () => {
  const junk = Object.fromEntries(COMPOSER_SETTINGS.map(({ name }) => [name, '\u0001junk\uFFFD']))
  const { settings, bad } = parseComposerSettings(junk)
  const free = ['FILENAME_TEMPLATE', 'POD_SELECTOR_LABEL']
  expect(bad.map(({ name }) => name)).toEqual(
    COMPOSER_SETTINGS.map(({ name }) => name).filter((name) => !free.includes(name)),
  )
  expect(settings).toMatchObject({ ...parseComposerSettings({}).settings, ...pick(settings) })
})

const pick = ({
  filenameTemplate,
  podSelectorLabel,
}: Record<'filenameTemplate' | 'podSelectorLabel', string>) => ({
  filenameTemplate,
  podSelectorLabel,
})

test.for([
  ['TIMEOUT', '0'],
  ['TIMEOUT', '-1'],
  ['TIMEOUT', '1e3'],
  ['TIMEOUT', '99999999999999999999'],
  ['LOG_LENGTH', 'lots'],
  ['COMPRESSION', 'yes'],
  ['CORE_DIR', 'relative'],
  ['CRI_ENDPOINT', 'tcp://10.0.0.1:3735'],
  ['CRI_CLIENT', 'docker'],
] as const)('rejects %s=%s', ([name, value]) => {
  const { bad } = parseComposerSettings({ [name]: value })
  expect(bad).toMatchObject([{ name, value, expected: expect.stringContaining('expected') }])
})

test('accepts capitals, blanks around a value, and an empty value for the default', () => {
  const { settings, bad } = parseComposerSettings({
    COMPRESSION: ' False ',
    LOG_LEVEL: 'Warn',
    TIMEOUT: '',
    CRI_ENDPOINT: 'unix:///run/containerd/containerd.sock',
  })
  expect(bad).toEqual([])
  expect(settings).toMatchObject({ compression: false, logLevel: 'warn', timeoutMs: 600_000 })
})
