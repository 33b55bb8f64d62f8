import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { type CrashRecord, readManifest, writeRecord } from '@core-dump-handler/bundle'
import { Metrics } from './metrics.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metrics-'))
  return () => rm(directory, { recursive: true })
})

/** The metrics after one bundle, as it was read from the disk. */
async function after(
  record: Omit<Partial<CrashRecord>, 'reasonCode'> & { reasonCode?: string },
): Promise<string> {
  const file = await writeRecord(directory, {
    name: 'x',
    reason: 'The composer died after 7 bytes, "of" the 8 \u001b[2J its ELF headers promise',
    dumpInfo: '{}',
    manifest: manifest([]),
    ...record,
  } as CrashRecord)
  const metrics = new Metrics()
  metrics.countBundle(await readManifest(join(directory, file)))
  return metrics.registry.metrics()
}

function manifest(problems: readonly string[]): CrashRecord['manifest'] {
  return {
    composer: '0.1.0',
    crash: { time: '2026-01-01T00:00:00Z' },
    identity: { status: 'unverified' },
    timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
    problems: problems.map((code) => ({ code, message: 'm' })),
  }
}

test('an absent core is counted by the code of its reason, never by its text', async () => {
  const text = await after({ reasonCode: 'COMPOSER_DIED' })
  expect(text).toContain('core_dump_drops_total{reason="COMPOSER_DIED"} 1')
  expect(text).toContain(
    'core_dump_crashes_total{outcome="no_core",reason="COMPOSER_DIED",identity="unverified"} 1',
  )
  expect(text).not.toContain('ELF headers')
})

test('an unknown code becomes no label', async () => {
  const text = await after({ reasonCode: 'CHOSEN_BY_OTHERS' })
  expect(text).toContain('core_dump_drops_total{reason="OTHER"} 1')
  expect(text).not.toContain('CHOSEN_BY_OTHERS')
})

test('a bundle without a reason code is counted by the code of a warning', async () => {
  const text = await after({ manifest: manifest(['CRI_UNAVAILABLE', 'CORE_CUT']) })
  expect(text).toContain('core_dump_drops_total{reason="CORE_CUT"} 1')
})
