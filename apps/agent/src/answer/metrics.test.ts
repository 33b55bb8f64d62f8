import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { type AgentRecord, writeRecord } from '../spool/write-record.ts'
import { Metrics } from './metrics.ts'
import { readManifestOf } from './read-manifest.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metrics-'))
  return () => rm(directory, { recursive: true })
})

/** The metrics after one bundle, as it was read from the disk. */
async function after(
  record: Omit<Partial<AgentRecord>, 'reasonCode'> & { reasonCode?: string },
): Promise<string> {
  const file = await writeRecord(directory, {
    name: 'x',
    reason: 'The composer died after 7 bytes, "of" the 8 \u001b[2J its ELF headers promise',
    dumpInfo: '{}',
    manifest: manifest([]),
    ...record,
  } as AgentRecord)
  const metrics = new Metrics()
  metrics.countBundle(await readManifestOf(join(directory, file)))
  return metrics.registry.metrics()
}

function manifest(problems: readonly string[]): Record<string, unknown> {
  return {
    crash: { time: '2026-01-01T00:00:00Z' },
    identity: { status: 'unverified' },
    timings: { heldMs: 1 },
    problems: problems.map((code) => ({ code, message: 'm' })),
  }
}

test('a core that is not there is counted by the code of its reason, never by its prose [left-over-8]', async () => {
  const text = await after({ reasonCode: 'COMPOSER_DIED' })
  expect(text).toContain('core_dump_drops_total{reason="COMPOSER_DIED"} 1')
  expect(text).toContain(
    'core_dump_crashes_total{outcome="no_core",reason="COMPOSER_DIED",identity="unverified"} 1',
  )
  expect(text).not.toContain('ELF headers')
})

test('a code that nobody knows is no label [left-over-8]', async () => {
  const text = await after({ reasonCode: 'CHOSEN_BY_OTHERS' })
  expect(text).toContain('core_dump_drops_total{reason="OTHER"} 1')
  expect(text).not.toContain('CHOSEN_BY_OTHERS')
})

test('a bundle without a code is counted by the problem that tells', async () => {
  const text = await after({ manifest: manifest(['CRI_UNAVAILABLE', 'CORE_CUT']) })
  expect(text).toContain('core_dump_drops_total{reason="CORE_CUT"} 1')
})
