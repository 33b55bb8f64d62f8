import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  candidateNames,
  CORE_REASON_CODES,
  createManifest,
  crashOfDumpInfo,
  formatDumpInfo,
  formatManifest,
  nameOfPartFile,
  parseDumpInfo,
  parseManifest,
  readBundle,
  readManifest,
  writeRecord,
  type CrashRecord,
} from './index.ts'

const UUID = '0b9a5a3e-0000-4000-8000-000000000000'
const MANIFEST = createManifest({
  uuid: UUID,
  composer: '0.1.0',
  crash: { time: '2026-01-01T00:00:00Z', signal: 11, comm: 'web' },
  identity: { status: 'verified', pod: 'web-1', namespace: 'shop' },
  core: { bytes: 10, complete: false, reason: 'cut', reasonCode: 'CORE_CUT' },
  fingerprint: { id: '0123456789abcdef01234567', family: '76543210fedcba9876543210' },
  topFrame: 'crash_here (web)',
  reportSkipped: ['stacks of 3 threads'],
  timings: { heldMs: 20, lookupMs: 3, totalMs: 40 },
  problems: [{ code: 'CORE_CUT', message: 'cut' }],
})
const RECORD: CrashRecord = {
  name: 'a',
  dumpInfo: '{}',
  reason: 'dropped',
  reasonCode: 'SPOOL_DROPPED',
  manifest: MANIFEST,
}

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bundle-'))
  return () => rm(directory, { recursive: true })
})

describe('parseManifest', () => {
  test('returns what formatManifest wrote', () => {
    expect(parseManifest(JSON.parse(formatManifest(MANIFEST)))).toEqual(MANIFEST)
  })

  test('keeps fields of later versions', () => {
    const later = { ...MANIFEST, core: { ...MANIFEST.core, later: 1 }, later: { a: 1 } }
    expect(parseManifest(later)).toEqual(later)
  })

  test('ignores a reason code and a mode of later versions', () => {
    const core = { ...MANIFEST.core, reasonCode: 'LATER', mode: 'later', method: 'later' }
    expect(parseManifest({ ...MANIFEST, core })?.core).toMatchObject({ bytes: 10 })
    expect(parseManifest({ ...MANIFEST, core })?.core.reasonCode).toBeUndefined()
  })

  test.for([
    ['no object', 7],
    ['another schema', { ...MANIFEST, schema: 'core-dump-handler/bundle@2' }],
    ['a negative size', { ...MANIFEST, core: { bytes: -1, complete: true } }],
    ['a text of 5,000 characters', { ...MANIFEST, crash: { time: 'x', comm: 'x'.repeat(5000) } }],
    ['free text for a code', { ...MANIFEST, problems: [{ code: 'a b', message: '' }] }],
  ] as const)('rejects %s', ([, value]) => {
    expect(parseManifest(value)).toBeUndefined()
  })
})

describe('JSON Schema', () => {
  test('names every reason code', async () => {
    const url = new URL('../schema/bundle-manifest.schema.json', import.meta.url)
    const schema: unknown = JSON.parse(await readFile(url, 'utf8'))
    expect(schema).toHaveProperty('properties.core.properties.reasonCode.enum', CORE_REASON_CODES)
  })
})

describe('dump-info', () => {
  test('has the keys of v9 in its order, and reads back', () => {
    const info = parseDumpInfo(
      JSON.stringify({ path: '!usr!bin!web', exe: 'web', signal: '11', timestamp: '1700000000' }),
    )
    expect([...formatDumpInfo(info).matchAll(/"(\w+)":/g)].map(([, key]) => key)).toEqual([
      'uuid',
      'dump_file',
      'timestamp',
      'hostname',
      'exe',
      'real_pid',
      'signal',
      'node_hostname',
      'path',
    ])
    expect(crashOfDumpInfo(info, new Date(0))).toEqual({
      time: '2023-11-14T22:13:20.000Z',
      signal: 11,
      signalName: 'SIGSEGV',
      comm: 'web',
      exe: '/usr/bin/web',
    })
  })

  test.for([undefined, '', '[]', '{"uuid": 7}', '{"uuid": "../../x"}', 'null'])(
    'has an empty uuid when the text is %j',
    (text) => {
      expect(parseDumpInfo(text).uuid).toBe('')
    },
  )
})

describe('names', () => {
  test('candidateNames ends with the uuid', () => {
    const names = [...candidateNames('a', UUID)]
    expect(names.slice(0, 3)).toEqual(['a', 'a-2', 'a-3'])
    expect(names.at(-1)).toBe(`a-${UUID}`)
  })

  test.for([
    ['.a.zip.part', 'a'],
    ['.a\nb.zip.part', 'a\nb'],
    ['a.zip.part', undefined],
    ['.zip.part', undefined],
    ['.a.zip', undefined],
  ] as const)('nameOfPartFile of %j is %j', ([file, name]) => {
    expect(nameOfPartFile(file)).toBe(name)
  })
})

describe('records', () => {
  test('are bundles that Info-ZIP reads, with the manifest last', async () => {
    const entries = { '-dropped.json': '[]' }
    expect(await writeRecord(directory, { ...RECORD, entries })).toBe('a.zip')
    const listed = execFileSync('unzip', ['-Z1', join(directory, 'a.zip')], { encoding: 'utf8' })
    expect(listed).toBe('a-dump-info.json\na-dropped.json\na-manifest.json\n')
    expect(await readBundle(join(directory, 'a.zip'))).toMatchObject({
      dumpInfo: '{}',
      dropped: [],
      manifest: { core: { bytes: 0, complete: false, reasonCode: 'SPOOL_DROPPED' } },
    })
  })

  test('take the next free name', async () => {
    await writeFile(join(directory, 'a.zip'), '')
    expect(await writeRecord(directory, RECORD)).toBe('a-2.zip')
  })
})

describe('readManifest', () => {
  test('returns nothing for a FIFO, a link, a missing file and a file that is not a zip', async () => {
    const path = (name: string): string => join(directory, name)
    execFileSync('mkfifo', [path('fifo')])
    await writeFile(path('text'), 'text')
    await writeRecord(directory, RECORD)
    await symlink(path('a.zip'), path('link'))
    for (const name of ['fifo', 'text', 'link', 'missing']) {
      expect(await readManifest(path(name)), name).toBeUndefined()
    }
    expect(await readManifest(path('a.zip'))).toBeDefined()
  })
})
