import { beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  agentFor,
  expectStored,
  leaveBundle,
} from '@core-dump-handler/testing/agent/uploading-agent'
import { faultProxy, type Fault } from '@core-dump-handler/testing/store/fault-proxy'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const MIB = 1 << 20

const FAULTS: readonly Fault[] = [
  { on: 'PutObject', kind: 'slow-down', times: 2 },
  { on: 'PutObject', kind: 'lost-answer', times: 1 },
  { on: 'CreateMultipartUpload', kind: 'internal-error', times: 2 },
  { on: 'UploadPart', kind: 'slow-down', times: 3 },
  { on: 'UploadPart', kind: 'reset', times: 2, part: 2 },
  { on: 'UploadPart', kind: 'request-timeout', times: 1 },
  { on: 'CompleteMultipartUpload', kind: 'internal-error', times: 2 },
  { on: 'CompleteMultipartUpload', kind: 'lost-answer', times: 1 },
  { on: 'CompleteMultipartUpload', kind: 'error-in-200', times: 1 },
  { on: 'HeadObject', kind: 'internal-error', times: 2 },
]

realParts('a store that answers badly for a while', () => {
  let store: ObjectStore

  beforeAll(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  test.for(FAULTS)(
    'gets the bundle whole after $kind on $on [agent-7, agent-9, B5]',
    async (fault) => {
      const proxy = await faultProxy(store.endpoint)
      onTestFinished(() => proxy.close())
      proxy.inject(fault)
      const agent = agentFor({ ...store, endpoint: proxy.url })
      const bundle = leaveBundle(agent, fault.on === 'PutObject' ? MIB : 20 * MIB)
      await agent.start()
      await expectStored(store, bundle.name, bundle.content, agent)
      const tries = proxy.seen.filter((operation) => operation === fault.on).length
      expect(tries).toBeGreaterThan(fault.times)
    },
  )
})
