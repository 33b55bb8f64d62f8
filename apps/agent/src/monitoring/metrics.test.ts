import { parseManifest } from '@core-dump-handler/bundle'
import { describe, expect, it } from 'vitest'
import { Metrics } from './metrics.ts'

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
