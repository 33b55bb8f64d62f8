import { type BundleManifest, parseManifest } from '@core-dump-handler/bundle'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { FingerprintCounter, Metrics } from './metrics.ts'

/** The metrics after one bundle whose manifest has this `core`, and warnings with these codes. */
async function after(core: object, codes: readonly string[] = []): Promise<string> {
  const manifest = parseManifest({
    schema: 'core-dump-handler/bundle@1',
    uuid: '0b9a5a3e-0000-4000-8000-000000000000',
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    crash: { time: '2026-01-01T00:00:00Z' },
    identity: { status: 'unverified' },
    core: {
      bytes: 0,
      complete: false,
      reason: 'The composer died after 7 bytes, "of" the 8 \u001b[2J its ELF headers promise',
      ...core,
    },
    timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
    problems: codes.map((code) => ({ code, message: 'm' })),
  })
  expect(manifest).toBeDefined()
  const metrics = new Metrics()
  metrics.countBundle(manifest)
  return metrics.registry.metrics()
}

describe('Metrics', () => {
  it('counts an absent core by the code of its reason, never by its text [left-over-8]', async () => {
    const text = await after({ reasonCode: 'COMPOSER_DIED' })
    expect(text).toContain('core_dump_drops_total{reason="COMPOSER_DIED"} 1')
    expect(text).toContain(
      'core_dump_crashes_total{outcome="no_core",reason="COMPOSER_DIED",identity="unverified"} 1',
    )
    expect(text).not.toContain('ELF headers')
  })

  it('makes no label of an unknown code [left-over-8]', async () => {
    const text = await after({ reasonCode: 'CHOSEN_BY_OTHERS' })
    expect(text).toContain('core_dump_drops_total{reason="OTHER"} 1')
    expect(text).not.toContain('CHOSEN_BY_OTHERS')
  })

  it('counts a bundle without a reason code by the code of a warning', async () => {
    const text = await after({}, ['CRI_UNAVAILABLE', 'CORE_CUT'])
    expect(text).toContain('core_dump_drops_total{reason="CORE_CUT"} 1')
  })
})

describe('Metrics of binaries', () => {
  it('count what was uploaded, what the store had, and failures by code', async () => {
    const metrics = new Metrics()
    metrics.countBinary({ type: 'stored', bytes: 40, isNew: true })
    metrics.countBinary({ type: 'stored', bytes: 50, isNew: false })
    metrics.countBinary({ type: 'failed', code: 'NETWORK' })
    const text = await metrics.registry.metrics()
    expect(text).toContain('core_dump_binaries_total{outcome="uploaded"} 1')
    expect(text).toContain('core_dump_binaries_total{outcome="existing"} 1')
    expect(text).toContain('core_dump_binary_bytes_total 40')
    expect(text).toContain('core_dump_binary_failures_total{code="NETWORK"} 1')
  })
})

const HOUR_MS = 3_600_000

function manifestOf(id: string | undefined, exe = '/usr/bin/shop'): BundleManifest {
  const manifest = parseManifest({
    schema: 'core-dump-handler/bundle@1',
    uuid: '0b9a5a3e-0000-4000-8000-000000000000',
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    crash: { time: '2026-01-01T00:00:00Z', exe },
    identity: { status: 'unverified' },
    core: { bytes: 0, complete: false },
    ...(id !== undefined && { fingerprint: { id, family: id } }),
    timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
    problems: [],
  })
  if (manifest === undefined) throw new Error('This is no manifest')
  return manifest
}

const idOf = (n: number): string => n.toString(16).padStart(24, '0')

/** A counter, and its lines as Prometheus reads them. */
function counterOf(): { counter: FingerprintCounter; lines: () => Promise<string[]> } {
  const registry = new Registry()
  const counter = new FingerprintCounter(registry)
  const lines = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('core_dump_'))
  return { counter, lines }
}

const line = (fingerprint: string, program: string, count: number): string =>
  `core_dump_fingerprint_crashes_total{fingerprint="${fingerprint}",program="${program}"} ${count}`

describe('FingerprintCounter', () => {
  it('counts each fingerprint, and no crash without one', async () => {
    const { counter, lines } = counterOf()
    for (const id of [idOf(1), idOf(2), undefined, idOf(1)]) counter.count(manifestOf(id))
    expect(await lines()).toEqual([line(idOf(1), 'shop', 2), line(idOf(2), 'shop', 1)])
  })

  it('has at most 50 fingerprints, and counts the others together', async () => {
    const { counter, lines } = counterOf()
    for (let n = 0; n < 300; n++) counter.count(manifestOf(idOf(n)), n)
    expect(await lines()).toHaveLength(51)
    expect(await lines()).toContain(line('other', '', 250))
    counter.count(manifestOf(idOf(7)))
    expect(await lines()).toContain(line(idOf(7), 'shop', 2))
  })

  it('forgets the one that was seen longest ago, a day or more, for another', async () => {
    const { counter, lines } = counterOf()
    for (let n = 0; n < 50; n++) counter.count(manifestOf(idOf(n)), n * HOUR_MS)
    counter.count(manifestOf(idOf(0)), 50 * HOUR_MS)
    counter.count(manifestOf(idOf(99)), 51 * HOUR_MS)
    const all = await lines()
    expect(all).toHaveLength(50)
    expect(all).toContain(line(idOf(0), 'shop', 2))
    expect(all).toContain(line(idOf(99), 'shop', 1))
    expect(all.join()).not.toContain(idOf(1))
  })

  it('makes labels of a known form only, whatever the crashed program chose', async () => {
    const { counter, lines } = counterOf()
    counter.count(manifestOf('a"b\nc'))
    counter.count(manifestOf(idOf(1), '/tmp/a"b\\c\n\u202E (deleted)'))
    // the same build under another name is one series
    counter.count(manifestOf(idOf(1), '/tmp/other'))
    counter.count(manifestOf(idOf(2), `/tmp/${'x'.repeat(4000)}`))
    expect(await lines()).toEqual([
      line('other', '', 1),
      line(idOf(1), 'a\\"b\\\\c\\\\u000a\\\\u202e', 2),
      line(idOf(2), 'x'.repeat(64), 1),
    ])
  })
})
