import { expect } from 'vitest'
import { startLookup, openRuntime } from '../index.ts'
import { fakeCrictl, prints } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'

const POD = { id: 'p', metadata: { name: 'web-1', namespace: 'shop', uid: 'u' } }

test('describes at most 64 containers of a pod', async ({ dir }) => {
  const containers = Array.from({ length: 3000 }, (_, n) => ({ id: `c${n}` }))
  const crictl = fakeCrictl(dir, {
    pods: prints({ items: [POD] }),
    inspectp: prints({ status: POD }),
    ps: prints({ containers }),
    img: prints({ images: [] }),
    logs: 'echo a line',
  })
  const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
  const search = startLookup({ hostname: 'web-1' }, runtime)
  const { containers: described, psInfo, warnings } = await search.result
  await search.close()
  expect(described).toHaveLength(64)
  expect(psInfo?.['containers']).toHaveLength(64)
  expect(warnings).toContainEqual(expect.objectContaining({ code: 'CRI_TOO_LARGE' }))
  expect(crictl.calls().length).toBeLessThan(80)
})
