import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { PROCESS_FILES } from '@core-dump-handler/capture'
import { crictlOfPod, DIGEST } from '@core-dump-handler/testing/cri/crictl-pod'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { test, WEB_POD } from '@core-dump-handler/testing/composer/scratch-node'
import { scratchProc } from '@core-dump-handler/testing/composer/scratch-proc'

const SEVEN = [
  '-dump-info.json',
  '.core',
  '-pod-info.json',
  '-runtime-info.json',
  '-ps-info.json',
  '-0.log',
  '-0-image-info.json',
]

describe('the contract of v9, with crictl answering', () => {
  test('writes seven entries for one container, and the manifest last', async ({ node }) => {
    const { code, stderr } = await node.run()
    const bundle = await onlyBundle(node.cores)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(bundle.name).toMatch(/^[0-9a-f-]{36}-dump-1700000000-web-1-web-1-6$/)
    expect(bundle.entries).toEqual([...SEVEN, '-manifest.json'])
    expect(JSON.parse(await bundle.text('-pod-info.json'))).toMatchObject({
      metadata: { name: 'web-1' },
    })
    expect(JSON.parse(await bundle.text('-ps-info.json'))).toMatchObject({
      containers: [{ id: WEB_POD.containerId }],
    })
    expect(JSON.parse(await bundle.text('-0-image-info.json'))).toMatchObject({
      repoDigests: [DIGEST],
    })
    expect(await bundle.text('-0.log')).toMatch(/starting\nserving\n[^]*panic: it broke/)
    expect(bundle.manifest.identity).toMatchObject({
      status: 'unverified',
      pod: 'web-1',
      namespace: 'shop',
    })
  })

  test('keeps the keys, the order and the strings of dump-info.json', async ({ node }) => {
    await node.run()
    const bundle = await onlyBundle(node.cores)
    expect(Object.keys(bundle.dumpInfo).join(' ')).toBe(
      'uuid dump_file timestamp hostname exe real_pid signal node_hostname path',
    )
    expect(bundle.dumpInfo).toMatchObject({
      dump_file: `${bundle.name}.core`,
      timestamp: '1700000000',
      hostname: 'web-1',
      exe: 'web',
      real_pid: '1',
      signal: '6',
      path: '!usr!bin!web',
    })
    expect(Object.values(bundle.dumpInfo).every((value) => typeof value === 'string')).toBe(true)
  })

  test("writes twelve entries with the files of each container's first process", async ({
    node,
    dir,
  }) => {
    await scratchProc(join(dir, 'proc'), 117)
    await node.run({ INCLUDE_PROC_INFO: 'true', OVERRIDE_PROC_FOLDER_PATH: join(dir, 'proc') })
    const bundle = await onlyBundle(node.cores)
    const files = PROCESS_FILES.map((file) => `-0-proc/${file}`)
    expect(bundle.entries).toEqual([...SEVEN, ...files, '-manifest.json'])
    expect(await bundle.text('-0-proc/maps')).toBe('maps of 117\n')
  })

  test('asks no runtime with IGNORE_CRIO, and writes two entries [B13]', async ({ node }) => {
    const { code } = await node.run({ IGNORE_CRIO: 'TRUE' })
    expect(code).toBe(0)
    expect((await onlyBundle(node.cores)).entries).toEqual([
      '-dump-info.json',
      '.core',
      '-manifest.json',
    ])
    expect(node.crictl.calls()).toEqual([])
  })

  test('passes crictl its configuration, command and log length', async ({ node }) => {
    crictlOfPod(node.home, WEB_POD, { images: '{"images":[]}' })
    await node.run({ USE_CRIO_CONF: 'true', CRIO_IMAGE_CMD: 'images', LOG_LENGTH: '7' })
    const calls = node.crictl.calls()
    expect(calls.every((call) => call.startsWith(`-c ${node.home}/crictl.yaml `))).toBe(true)
    expect(calls.join('\n')).toMatch(
      / images -o json\n?[^]* logs --tail=7 | logs --tail=7 [^]* images -o json/,
    )
  })

  test('stores no value of an environment variable of a container', async ({ node }) => {
    await node.run({ INCLUDE_PROC_INFO: 'true' })
    const bundle = await onlyBundle(node.cores)
    expect(await bundle.text('-runtime-info.json')).not.toContain('hunter2')
  })

  test('writes the event after the bundle, with the fields in order [B24]', async ({
    node,
    dir,
  }) => {
    const events = join(dir, 'New/Events')
    await node.run({ CORE_EVENTS: 'True', EVENT_DIRECTORY: events })
    const bundle = await onlyBundle(node.cores)
    const file = `${bundle.manifest.uuid}-event.json`
    expect(await readdir(events)).toEqual([file])
    const event: object = JSON.parse(await readFile(join(events, file), 'utf8'))
    expect(Object.keys(event).join(' ')).toBe(
      'image_list key exe_path labels limit_size exe_name pid signal timestamp hostname namespace uuid',
    )
    expect(event).toEqual({
      image_list: [DIGEST],
      key: `${bundle.name}.zip`,
      exe_path: '!usr!bin!web',
      labels: { 'info.coredump/team': 'checkout' },
      limit_size: '0',
      exe_name: 'web',
      pid: '1',
      signal: '6',
      timestamp: '1700000000',
      hostname: 'web-1',
      namespace: 'shop',
      uuid: bundle.manifest.uuid,
    })
    expect(((await stat(join(events, file))).mode & 0o777).toString(8)).toBe('600')
  })

  test('names the file after the pod when the template has its fields', async ({ node }) => {
    await node.run({ FILENAME_TEMPLATE: '{namespace}_{podname}_{podUid}' })
    expect((await onlyBundle(node.cores)).name).toMatch(/^shop_web-1_3d2c1b0a-/)
  })
})
