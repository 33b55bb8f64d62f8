import { expect } from 'vitest'
import { fakeCrictl } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'
import { openRuntime } from '../open-runtime.ts'

const SECRET = 'password=hunter2'

test.for([
  ["FATA[0000] no such container 'x'", 'CRI_NOT_FOUND'],
  ['', 'CRI_FAILED'],
])('an error of `crictl logs` does not quote the container (%s)', async ([last, code], { dir }) => {
  const { path } = fakeCrictl(dir, {
    logs: `echo '${SECRET}' >&2\necho "${last}" >&2\nexit 1`,
  })
  const runtime = await openRuntime({ client: 'crictl', crictlPath: path })
  const failure = await runtime.containerLog('x', 5).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code })
  expect(String(failure)).not.toContain(SECRET)
  expect(String(failure)).toContain(last)
})
