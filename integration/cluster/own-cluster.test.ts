import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { Cluster } from './cluster.ts'
import { Release } from './release.ts'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { REGION } from '@core-dump-handler/testing/store/object-store'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { realParts } from '../real-parts.ts'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const ROOT = new URL('../..', import.meta.url).pathname
const command = ['run', '--silent', 'test:cluster', '--']

realParts('npm run test:cluster', () => {
  test('names each missing variable and changes nothing', async () => {
    const env = { PATH: process.env['PATH'], IMAGE: 'x', S3_REGION: 'r' }
    const options = { cwd: ROOT, env, extendEnv: false, reject: false }
    const refused = await execa('npm', command, options)
    expect(refused).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/KUBECONFIG: .*\n +S3_BUCKET_NAME: .*\n +S3_ACCESS_KEY: /),
    })
  })

  test('crashes a pod of the given cluster, finds its object, and removes everything', async () => {
    const store = await startVersitygw()
    onTestFinished(async () => store.stop())
    const cluster = new Cluster()
    const release = new Release(cluster, store)
    onTestFinished(async () => {
      await cluster.stop()
      release.dispose()
    })
    await cluster.start()
    await release.importImage()
    await release.makeDirectories()
    const env = {
      ...cluster.env,
      PATH: [await findTool('helm'), await findTool('kubeone')]
        .map(dirname)
        .concat(cluster.env['PATH'] ?? '')
        .join(':'),
      IMAGE: 'localhost/core-dump-handler:0.1.0',
      S3_BUCKET_NAME: store.bucket,
      S3_REGION: REGION,
      S3_ENDPOINT: store.endpoint,
      S3_ACCESS_KEY: store.accessKey,
      S3_SECRET: store.secret,
      HOST_DIRECTORY: release.hostDir,
    }
    const here = {
      hostNetwork: true,
      'image.pullPolicy': 'Never',
      'metrics.port': await freePorts(),
      'daemonset.crioEndpoint': `unix://${cluster.containerd.socket}`,
      'limits.minFreeBytes': 0,
    }
    const options = Object.entries(here).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    await withKernel(async (before) => {
      try {
        const timeout = 120_000
        const { stdout } = await execa('npm', [...command, ...options], {
          cwd: ROOT,
          env,
          extendEnv: false,
          timeout,
        })
        expect(stdout).toMatch(/its object: core-dump-test-.*crasher.*\n.*are gone.*\npassed$/s)
        expect(coreSysctls()).toEqual(before)
      } catch (error) {
        // no agent may set the pattern after the lock is released
        await cluster.stop()
        throw error
      }
    })
    expect(await store.keys()).toEqual([])
    expect(await cluster.kubectl('get', 'namespaces', '-o', 'name')).not.toContain('core-dump-test')
    expect(readdirSync(release.hostDir)).toEqual(['cores'])
    expect(readdirSync(join(release.hostDir, 'cores'))).toEqual([])
  }, 180_000)
})
