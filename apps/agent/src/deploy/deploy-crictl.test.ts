import { once } from 'node:events'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { crictlConfig, findEndpoint } from './deploy-crictl.ts'

/** Listens on a socket at `path` below `root`. */
async function socketAt(root: string, path: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  const server = createServer().listen(join(root, path))
  onTestFinished(() => void server.close())
  await once(server, 'listening')
}

describe('deployCrictl', () => {
  test.for([
    '/run/containerd/containerd.sock',
    '/run/crio/crio.sock',
    '/run/k3s/containerd/containerd.sock',
    '/run/cri-dockerd.sock',
  ])('N3: names the socket %s where it is the only one', async (path, { node }) => {
    await socketAt(node.dir, path)
    expect(await findEndpoint([node.dir])).toBe(`unix://${path}`)
    expect(await findEndpoint([join(node.dir, 'cores'), `${node.dir}/`])).toBe(`unix://${path}`)
  })

  test('N3: names the place of a socket behind a link', async ({ node }) => {
    await socketAt(node.dir, '/run/crio/crio.sock')
    await mkdir(join(node.dir, 'var'))
    await symlink('../run', join(node.dir, 'var/run'))
    expect(await findEndpoint([node.dir])).toBe('unix:///run/crio/crio.sock')
  })

  test('N3: names no socket where none is seen, and crictl looks for it', async ({ node }) => {
    expect(await findEndpoint([node.dir])).toBeUndefined()
    expect(crictlConfig(undefined)).toBe('timeout: 2\ndebug: false\npull-image-on-create: false')
  })

  test('N3: writes crictl.yaml without containerd where CRIO_ENDPOINT is not set', async ({
    node,
  }) => {
    await (await node.daemon({ DEPLOY_CRIO_CONFIG: 'true', CANARY: 'false' })).kill('SIGTERM')
    const text = await readFile(join(node.hostDir, 'crictl.yaml'), 'utf8')
    expect(text).toBe(crictlConfig(await findEndpoint(['/'])))
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.list()).toEqual([])
  })
})
