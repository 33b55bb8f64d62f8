import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect } from 'vitest'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { fakeApiServer } from '@core-dump-handler/testing/agent/api-server'
import { test } from '@core-dump-handler/testing/agent/scratch-node'

const POD = { POD_NAME: 'cdh-x7k2p', POD_UID: 'uid-9', NODE_NAME: 'node-1' }

describe('OwnPodEvents', () => {
  test('creates a Warning when the destination begins to fail, and an Event when it works again', async ({
    node,
  }) => {
    const created: { readonly url: string | undefined; readonly event: unknown }[] = []
    const api = await fakeApiServer((request, response) => {
      void text(request).then((body) => {
        created.push({ url: request.url, event: JSON.parse(body) })
        response.writeHead(201).end('{}')
      })
    })
    // no directory can be made: checks fail
    const destination = `${node.destination}/below/a-file`
    await writeFile(`${node.destination}/below`, '')
    const port = await freePort()
    const env = { ...api, ...POD, POD_EVENTS: 'true', HEALTH_PORT: String(port) }
    const agent = await node.daemon({ ...env, DESTINATION: `file:${destination}` })
    await expect.poll(() => created.length, { timeout: 15_000 }).toBe(1)
    await agent.line(/the destination fails: bundles wait on this node/)
    expect(created[0]).toMatchObject({
      url: '/api/v1/namespaces/observe/events',
      event: {
        metadata: { generateName: 'cdh-x7k2p.', namespace: 'observe' },
        type: 'Warning',
        reason: 'DestinationFailed',
        message: expect.stringMatching(/^Bundles wait on node node-1: .*below/),
        involvedObject: { kind: 'Pod', name: 'cdh-x7k2p', namespace: 'observe', uid: 'uid-9' },
      },
    })
    const status = node.agent(['status'], { ...env, DESTINATION: `file:${destination}` })
    expect(await status.ended).toBe(1)
    const ready = await (await fetch(`http://127.0.0.1:${port}/readyz`)).text()
    const [, reason = ''] = /^not ok destination: (.*)$/m.exec(ready) ?? []
    expect(reason).toContain('below')
    expect(status.output()).toContain(`not ok  readiness of destination: ${reason}`)

    await rm(join(node.destination, 'below'))
    await expect.poll(() => created.length, { timeout: 30_000 }).toBe(2)
    expect(created[1]?.event).toMatchObject({ type: 'Normal', reason: 'DestinationReachable' })
  })
})
