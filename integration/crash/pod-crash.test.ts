import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import JSZip from 'jszip'
import { expect, onTestFinished, test } from 'vitest'
import { Containerd, CRASHER_IMAGE } from '@core-dump-handler/testing/containerd/containerd'
import { backtrace, promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { REGION } from '@core-dump-handler/testing/store/object-store'
import { startSwift } from '@core-dump-handler/testing/store/swift'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

const STORES = { versitygw: startVersitygw, swift: startSwift }

realParts('a crash in a pod', () => {
  test.for([
    ['1.6', 'versitygw'],
    ['1.7', 'versitygw'],
    ['2', 'versitygw'],
    ['2', 'swift'],
  ] as const)(
    'becomes a verified object with containerd %s and %s [B8]',
    async ([version, storeName]) => {
      const store = await STORES[storeName]()
      onTestFinished(() => store.stop())
      const containerd = new Containerd(version)
      onTestFinished(() => containerd.stop())
      await containerd.start()
      const node = new TestNode({ store, containerd })
      onTestFinished(() => node.dispose())

      const { bundle, pod } = await node.prepared(async () => {
        const victimPod = await runPod(containerd, {
          name: 'basket-7d9f',
          namespace: 'shop',
          containers: [
            { name: 'server', args: ['-m', '8'], uid: 1000, env: { TOKEN: 's3cret-canary' } },
          ],
        })
        onTestFinished(() => victimPod.remove())
        const arrived = await node.bundles.one(
          (each) => each.manifest.identity.podUid === victimPod.uid,
        )
        await until('the local directory is empty', () => node.agent.waiting.length === 0)
        return { bundle: arrived, pod: victimPod }
      })

      const { manifest } = bundle
      expect(manifest.problems).toEqual([])
      expect(manifest.identity).toMatchObject({
        status: 'verified',
        pod: 'basket-7d9f',
        namespace: 'shop',
        podUid: pod.uid,
        container: 'server',
        containerId: pod.containerIds[0],
        image: CRASHER_IMAGE,
        imageRef: `test.local/crasher@${containerd.crasherDigest}`,
        restartCount: 0,
      })
      expect(manifest.crash).toMatchObject({
        signal: 11,
        signalName: 'SIGSEGV',
        comm: 'crasher',
        exe: '/bin/crasher',
        pid: 1,
        uid: 1000,
        dumpMode: 1,
      })
      expect(bundle.shortNames).toEqual([
        '-dump-info.json',
        '.core',
        '-pod-info.json',
        '-runtime-info.json',
        '-ps-info.json',
        '-0.log',
        '-0-image-info.json',
        '-report.json',
        '-report.txt',
        '-mini.core',
        '-manifest.json',
      ])
      // of a file that only the container has
      const report = await bundle.json('-report.json')
      expect(report).toMatchObject({
        crash: { signalName: 'SIGSEGV', exe: '/bin/crasher' },
        fingerprint: manifest.fingerprint,
        skipped: [],
      })
      expect(manifest.topFrame).toBe('crash_here (crasher)')
      expect(await bundle.text('-report.txt')).toMatch(
        /program +\/bin\/crasher +build-id [0-9a-f]{40}\n/,
      )

      // stdout and stderr reach the file by ways of their own: their order is not kept
      expect(await bundle.text('-0.log')).toContain('last words before signal 11')

      const zip = await JSZip.loadAsync(readFileSync(bundle.path), { checkCRC32: true })
      expect(Object.keys(zip.files)).toEqual(bundle.entries.map(({ name }) => name))

      const core = await bundle.extractCore()
      const promised = await promisedBytes(core)
      expect(promised).toBeGreaterThan(8 << 20)
      expect(bundle.entry('.core').bytes).toBe(promised)
      expect(manifest.core).toMatchObject({
        bytes: promised,
        expectedBytes: promised,
        complete: true,
      })
      expect(await backtrace(testProgram('crasher'), core)).toMatch(/#0 .*crash_here/)

      const whole = bundle.entry('.core')
      for (const { name } of bundle.entries.filter((entry) => entry !== whole)) {
        expect(await bundle.text(name), name).not.toContain('s3cret-canary')
      }

      // with access to the bucket, and the files of the image
      const sysroot = join(node.agent.directory, 'sysroot')
      mkdirSync(join(sysroot, 'bin'), { recursive: true })
      copyFileSync(testProgram('crasher'), join(sysroot, 'bin/crasher'))
      const batch = ['--', '-nx', '-batch', '-ex', 'bt']
      const debug = ['debug', manifest.uuid, '--mini', '--sysroot', sysroot, ...batch]
      const { code, stdout, stderr } = await runCdh(debug, {
        CDH_STORE: `s3://${store.bucket}`,
        AWS_ENDPOINT_URL: store.endpoint,
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: store.accessKey,
        AWS_SECRET_ACCESS_KEY: store.secret,
        XDG_CACHE_HOME: join(node.agent.directory, 'cache'),
      })
      expect(stderr).toContain('1 of 1 binaries found')
      expect(stdout).toMatch(/#0 .*crash_here \(.*crasher\.c:\d+/)
      expect(code).toBe(0)
    },
  )
})
