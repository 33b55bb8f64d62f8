import { expect, test } from 'vitest'
import { Warnings } from '../warnings.ts'
import { MAX_NAME_BYTES } from '@core-dump-handler/bundle'
import { bundleName, type NameFields, needsLookup } from './name.ts'

const FIELDS: NameFields = {
  limit_size: '0',
  exe_name: 'a&b',
  pid: '1',
  signal: '11',
  timestamp: '1700000000',
  directory: '/var/cores',
  hostname: 'web-1',
  pathname: '!usr!bin!x',
  namespace: 'shop',
  podname: 'web-1',
  uuid: 'e5c0ad26-3d44-4f7f-8d0a-1d9b4e1f0c11',
  podUid: 'pod-uid',
  container: 'main',
  containerId: 'abc',
  nodeHostname: 'node-1',
  signalName: 'SIGSEGV',
  hostPid: '4711',
  uid: '0',
  gid: '0',
}

function name(template: string, fields: Partial<NameFields> = {}): [string, string[]] {
  const warnings = new Warnings()
  const made = bundleName(template, { ...FIELDS, ...fields }, warnings)
  return [made, warnings.list.map(({ code }) => code)]
}

test.for([
  [
    '{uuid}-dump-{timestamp}-{hostname}-{exe_name}-{pid}-{signal}',
    `${FIELDS.uuid}-dump-1700000000-web-1-a&b-1-11`,
  ],
  ['{namespace}.{ podname }', 'shop.web-1'],
  ['{exe_name | unescaped}', 'a&b'],
  ['\\{{pid}\\}', '{1}'],
  ['{podUid}-{container}-{signalName}', 'pod-uid-main-SIGSEGV'],
  ['{directory}{pathname}', '_var_cores!usr!bin!x'],
  ['with space {pid}', 'with space 1'],
] as const)('makes %j into %j', ([template, expected]) => {
  expect(name(template)).toEqual([expected, []])
})

test.for(['{{uuid}}', '{nope}', '{', '{pid', '{}', '{constructor}', '{__proto__}', '', '   '])(
  'takes the uuid where the template is %j, with a warning [B32]',
  (template) => {
    expect(name(template)).toEqual([FIELDS.uuid, ['BAD_TEMPLATE']])
  },
)

test.for([
  ['../../etc/passwd', '______etc_passwd'],
  ['..', '__'],
  ['.hidden', '_hidden'],
  ['-rf', '_rf'],
  ['a\nb\0c\u001b[31m', 'a_b_c_[31m'],
  ['\uFFFD\u202Egnp', '__gnp'],
  ['"quoted" `cmd` $(x)', '_quoted_ _cmd_ _(x)'],
  ['a\ud800b', 'a_b'],
  ['ünïcode-名前', 'ünïcode-名前'],
])('makes the hostile name %j harmless', ([comm = '', expected]) => {
  expect(name('{exe_name}', { exe_name: comm })[0]).toBe(expected)
})

test('does not substitute in the value of a field', () => {
  expect(name('{exe_name}', { exe_name: '{uuid}' })[0]).toBe('{uuid}')
})

test('cuts at 200 bytes, never in the middle of a character [composer-17]', () => {
  const [long] = name('{exe_name}', { exe_name: `a${'名'.repeat(300)}` })
  expect(Buffer.byteLength(long)).toBe(199)
  expect(long.endsWith('名')).toBe(true)
  expect(name('{exe_name}', { exe_name: 'x'.repeat(300) })[0]).toHaveLength(MAX_NAME_BYTES)
})

test('reports which templates need the runtime', () => {
  expect(needsLookup('{uuid}-{podname}')).toBe(true)
  expect(needsLookup('{ namespace | unescaped }')).toBe(true)
  expect(needsLookup('{uuid}-{hostname}-{pid}')).toBe(false)
})

test('is one visible path segment whatever two thousand random programs are called [B32]', () => {
  let state = 42
  const random = (below: number): number => {
    // mulberry32: the same names in every run
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(Array.from({ length: random(64) }, () => random(256)))
    const [made] = name('{exe_name}', { exe_name: bytes.toString() })
    expect(made).toMatch(/^[^.\-/\\\p{C}][^/\\\p{C}]*$/u)
    expect(made).not.toContain('..')
    expect(Buffer.byteLength(made)).toBeLessThanOrEqual(MAX_NAME_BYTES)
  }
})
