import { describe, expect, it } from 'vitest'
import { groupBundles } from './group-bundles.ts'
import type { BundleSummary } from './open-bundle.ts'

function crash(fingerprint: string | undefined, parts: Partial<BundleSummary> = {}): BundleSummary {
  return {
    id: 'x',
    key: 'x.zip',
    bytes: 1,
    time: '2026-11-30T12:00:00.000Z',
    identity: 'verified',
    node: 'node-1',
    program: 'web',
    signal: 11,
    ...(fingerprint !== undefined && { fingerprint: { id: fingerprint } }),
    ...parts,
  }
}

describe('groupBundles', () => {
  it('counts by fingerprint, with first, last, workloads and nodes', () => {
    const { groups } = groupBundles([
      crash('a', { time: '2026-11-01T00:00:00.000Z', namespace: 'shop', pod: 'db-0' }),
      crash('b'),
      crash('a', { namespace: 'shop', pod: 'web-7d9f8b6c5d-x2k4p', node: 'node-2' }),
    ])
    expect(groups[0]).toMatchObject({
      fingerprint: 'a',
      count: 2,
      first: '2026-11-01T00:00:00.000Z',
      last: '2026-11-30T12:00:00.000Z',
      workloads: ['shop/db', 'shop/web'],
      nodes: ['node-1', 'node-2'],
    })
    expect(groups[1]).toMatchObject({ fingerprint: 'b', count: 1 })
  })

  it('groups crashes without a fingerprint by program and signal', () => {
    const { groups } = groupBundles([
      crash(undefined),
      crash(undefined),
      crash(undefined, { signal: 6 }),
    ])
    expect(groups.map(({ count }) => count)).toEqual([2, 1])
  })

  const scattered = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) =>
    crash(id, { program: `program-${index % 3}`, node: 'node-bad' }),
  )

  it('marks a node where several programs crash at places of their own', () => {
    const { suspectNodes } = groupBundles([
      ...scattered,
      crash('z'),
      crash('z', { node: 'node-2' }),
    ])
    expect(suspectNodes).toEqual([{ node: 'node-bad', ownFingerprints: 6, programs: 3 }])
  })

  it('marks no node when the same places crash elsewhere too', () => {
    const elsewhere = scattered.map((bundle) => ({ ...bundle, node: 'node-2' }))
    expect(groupBundles([...scattered, ...elsewhere]).suspectNodes).toEqual([])
  })

  it('marks no node for one program with many faults, nor the only node', () => {
    const one = scattered.map((bundle) => ({ ...bundle, program: 'web' }))
    expect(groupBundles([...one, crash('z', { node: 'node-2' })]).suspectNodes).toEqual([])
    expect(groupBundles(scattered).suspectNodes).toEqual([])
  })
})
