import { expect } from 'vitest'
import { lookUp, openRuntime } from '../index.ts'
import { fakeCrictl, prints } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'

const POD = { id: 'p', metadata: { name: 'web-1', namespace: 'shop', uid: 'u' } }

test('a pod with thousands of containers starts no crictl for each', async ({ dir }) => {
  const containers = Array.from({ length: 3000 }, (_, n) => ({ id: `c${n}` }))
  const crictl = fakeCrictl(dir, {
    pods: prints({ items: [POD] }),
    inspectp: prints({ status: POD }),
    ps: prints({ containers }),
    img: prints({ images: [] }),
    logs: 'echo a line',
  })
  const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
  const search = lookUp({ hostname: 'web-1' }, runtime)
  const { containers: described, psInfo, problems } = await search.result
  await search.close()
  expect(described).toHaveLength(64)
  expect(psInfo?.['containers']).toHaveLength(64)
  expect(problems).toContainEqual(expect.objectContaining({ code: 'CRI_TOO_LARGE' }))
  expect((await crictl.calls()).length).toBeLessThan(80)
})
