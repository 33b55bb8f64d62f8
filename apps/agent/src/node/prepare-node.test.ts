import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ORIGINAL, test } from '@core-dump-handler/testing/agent/scratch-node'

test('the start installs private files and sets the sysctls of the contract', async ({ node }) => {
  await node.daemon()

  expect(await node.list()).toEqual([
    '.deployed',
    '.env',
    'cdc',
    'core_pattern.bak',
    'core_pipe_limit.bak',
    'koffi.node',
    'suid_dumpable.bak',
  ])
  expect(await node.sysctls()).toEqual([
    `|${node.hostDir}/cdc -c=%c -e=%e -p=%p -s=%s -t=%t -h=%h -E=%E -P=%P -I=%I -u=%u -g=%g -M=%d -F=%F`.slice(
      0,
      127,
    ),
    '128',
    '2',
  ])
  expect(await readFile(join(node.hostDir, 'core_pattern.bak'), 'utf8')).toBe('core.%p')
  expect((await readFile(join(node.hostDir, '.env'), 'utf8')).split('\n')[0]).toBe(
    'LOG_LEVEL=debug',
  )
  for (const name of await node.list()) {
    expect((await stat(join(node.hostDir, name))).mode & 0o077, name).toBe(0)
  }
  expect((await stat(node.hostDir)).mode & 0o777).toBe(0o700)
})

test('every file exists before the pattern is set [B4]', async ({ node }) => {
  // a pattern that can be read but not set: all that comes before it must have happened
  await node.sysctl('kernel.core_pattern', '')
  const agent = node.agent([], { SYSCTL_ROOT: await deafPattern(node.dir) })
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toMatch(/"fatal".*kernel.core_pattern.*reads back/)
  expect(await node.list()).toEqual(['.deployed', '.env', 'cdc', 'koffi.node'])
  expect(await node.sysctl('kernel.core_pipe_limit'), 'put back').toBe('0')
})

test.for(['HOST_DIR', 'CORE_DIR'])(
  '%s where no directory can be made ends the start with an error, and does not hang it [node-10]',
  async (setting, { node }) => {
    const agent = node.agent([], { [setting]: '/proc/cores/here' })
    expect(await agent.ended).toBe(1)
    expect(agent.output()).toMatch(/"fatal".*\/proc\/cores/)
    expect(await node.sysctls()).toEqual(ORIGINAL)
  },
)

async function deafPattern(dir: string): Promise<string> {
  const root = join(dir, 'deaf')
  await mkdir(join(root, 'kernel'), { recursive: true })
  await symlink('/dev/null', join(root, 'kernel/core_pattern'))
  await symlink(join(dir, 'sys/kernel/core_pipe_limit'), join(root, 'kernel/core_pipe_limit'))
  await symlink(join(dir, 'sys/fs'), join(root, 'fs'))
  return root
}

test('remove restores the first values after a kill and a start with other directories [B2]', async ({
  node,
}) => {
  const first = await node.daemon()
  expect(await first.kill('SIGKILL')).toBe('SIGKILL')
  const other = { HOST_DIR: join(node.dir, 'other'), CORE_DIR: join(node.dir, 'other/cores') }
  const second = await node.daemon(other)
  await second.kill('SIGKILL')
  expect((await node.sysctls())[0]).toContain(`|${node.dir}/other/cdc `)

  expect(await node.agent(['remove'], other).ended).toBe(0)
  expect(await node.sysctls()).toEqual(ORIGINAL)
  expect(await node.list(other.HOST_DIR)).toEqual(['cores'])
})

test('directories that are too long are refused in words, and nothing changes [B21]', async ({
  node,
}) => {
  const agent = node.agent([], { HOST_DIR: join(node.dir, 'd'.repeat(120)) })
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toMatch(/PATTERN_TOO_LONG.*\d+ bytes.*127/)
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

test('B21: a long HOST_DIR costs the optional facts of a crash, and that is logged', async ({
  node,
}) => {
  const long = { HOST_DIR: join(node.dir, 'd'.repeat(54 - node.dir.length)) }
  const agent = await node.daemon(long)
  expect(JSON.parse(await agent.line(/HOST_DIR is long/))).toMatchObject({
    dropped: ['-M=%d', '-F=%F'],
  })
  expect(await node.sysctl('kernel.core_pattern')).toMatch(/ -g=%g$/)
})

test('all settings invalid at once are all reported, and the node is prepared anyway', async ({
  node,
}) => {
  const agent = await node.daemon({
    SUID_DUMPABLE: '7',
    VENDOR: 'x',
    INTERVAL: '-1',
    SCHEDULE: 'x',
    USE_INOTIFY: 'perhaps',
    DEPLOY_CRIO_EXE: '1',
    HEALTH_PORT: 'x',
    TAMPER: 'x',
    S3_PART_BYTES: '1',
    COMP_TIMEOUT: 'x',
  })
  for (const name of [
    'SUID_DUMPABLE',
    'VENDOR',
    'INTERVAL',
    'SCHEDULE',
    'HEALTH_PORT',
    'COMP_TIMEOUT',
  ]) {
    expect(agent.output()).toContain(`"variable":"${name}"`)
  }
  expect((await node.sysctls())[2]).toBe('2')
})

test('crictl.yaml is as in version 9, and a missing crictl is logged', async ({ node }) => {
  const agent = await node.daemon({
    DEPLOY_CRIO_CONFIG: 'true',
    DEPLOY_CRIO_EXE: 'true',
    CRIO_ENDPOINT: 'unix:///run/containerd/containerd.sock',
  })
  expect(await readFile(join(node.hostDir, 'crictl.yaml'), 'utf8')).toBe(
    'runtime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 2\ndebug: false\npull-image-on-create: false',
  )
  expect(agent.output()).toContain('no crictl came with this agent')
})

test('a running composer is not disturbed when the agent installs a new one [B3]', async ({
  node,
}) => {
  const agent = await node.daemon()
  await agent.kill('SIGKILL')
  const before = await stat(join(node.hostDir, 'cdc'))
  const core = Buffer.alloc(300_000, 'core')
  const args = ['-e=x', '-p=1', '-s=11', '-t=1', '-h=web', '-E=!x']
  // the first composer cannot ask a runtime: it is the deploying that is looked at here
  await writeFile(join(node.hostDir, '.env'), `IGNORE_CRIO=true\nCORE_DIR=${node.coreDir}\n`)
  const composer = spawn(join(node.hostDir, 'cdc'), args, {
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  composer.stdin.write(core)
  await expect.poll(async () => readdir(node.coreDir)).toHaveLength(1)

  await node.daemon({ INTERVAL: '', USE_INOTIFY: 'false', COMP_IGNORE_CRIO: 'true' })
  expect((await stat(join(node.hostDir, 'cdc'))).ino).not.toBe(before.ino)
  composer.stdin.end()
  expect((await once(composer, 'close'))[0]).toBe(0)
  expect(await node.list(node.coreDir)).toEqual([expect.stringMatching(/-web-x-1-11\.zip$/)])
})

test('a directory that cannot be written is named, and the sysctls do not change [node-4]', async ({
  node,
}) => {
  await writeFile(join(node.dir, 'file'), '')
  const agent = node.agent([], { HOST_DIR: join(node.dir, 'file/host') })
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toMatch(/"fatal".*file\/host` is below a file that is no directory/)
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

test('a core of the agent itself would contain no memory [attack-7, B18]', async ({ node }) => {
  const agent = await node.daemon()
  expect(await readFile(`/proc/${agent.pid}/coredump_filter`, 'utf8')).toBe('00000000\n')
})
