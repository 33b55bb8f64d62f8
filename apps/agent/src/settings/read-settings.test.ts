import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { redactor } from '../log/redact.ts'
import { parseVariables, VARIABLE_ROWS } from './variables.ts'
import { readSettings } from './read-settings.ts'
import { fitParts } from '@core-dump-handler/upload/settings'

const variablesOf = (env: NodeJS.ProcessEnv): string[] =>
  readSettings(env).problems.map(({ variable }) => variable)
const trigger = (env: NodeJS.ProcessEnv): unknown => readSettings(env).settings.trigger
const credentials = (env: NodeJS.ProcessEnv): unknown =>
  readSettings(env).settings.destination?.s3.credentials

test('an empty environment gives the defaults of version 9 and no complaint', () => {
  const { settings, problems } = readSettings({ INTERVAL: '', S3_ACCESS_KEY: '' })
  expect(problems).toEqual([])
  expect(settings).toMatchObject({
    hostDir: '/var/mnt/core-dump-handler',
    coreDir: '/var/mnt/core-dump-handler/cores',
    eventDir: '/var/mnt/core-dump-handler/events',
    suidDumpable: '2',
    sysctlRoot: '/proc/sys',
    crioEndpoint: 'unix:///run/containerd/containerd.sock',
    trigger: { kind: 'none' },
    healthPort: 0,
  })
  expect(settings.destination).toBeUndefined()
})

test('a removed setting is reported once, and the agent goes on without it', () => {
  const { settings, problems } = readSettings({ COMP_STRAIGHT_TO_STORE: 'true' })
  expect(problems).toEqual([
    {
      variable: 'COMP_STRAIGHT_TO_STORE',
      message: 'was removed and has no effect: bundles go through CORE_DIR',
    },
  ])
  expect(settings.composerEnv).toContain('STRAIGHT_TO_STORE=off\n')
  expect(variablesOf({ STRAIGHT_TO_STORE: 'true' })).toEqual(['STRAIGHT_TO_STORE'])
  expect(readSettings({ RECOMPRESS: 'true' }).problems).toEqual([
    {
      variable: 'RECOMPRESS',
      message: 'was removed and has no effect: cores are compressed in full at once',
    },
  ])
})

test('cores go to the store only where the receiver and this agent can do their part', () => {
  const env = {
    STRAIGHT_TO_STORE: 'auto',
    RECEIVER_MODE: 'auto',
    S3_BUCKET_NAME: 'b',
    INTERVAL: '60000',
  }
  const good = readSettings(env)
  expect(good.problems).toEqual([])
  expect(good.settings.composerEnv).toContain('STRAIGHT_TO_STORE=auto\n')
  for (const [change, needs] of [
    [{ RECEIVER_MODE: 'off' }, /needs crashes on the coredump socket/],
    [{ S3_BUCKET_NAME: '', DESTINATION: 'file:/d' }, /needs a destination such as/],
    [{ INTERVAL: '' }, /needs an agent that uploads/],
  ] as const) {
    const { settings, problems } = readSettings({ ...env, ...change })
    expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(needs)])
    expect(settings.composerEnv).toContain('STRAIGHT_TO_STORE=off\n')
  }
})

test('the composer gets the twelve lines of version 9 first, then CORE_DIR', () => {
  const { composerEnv } = readSettings({
    HOST_DIR: '/h/',
    CORE_DIR: '/c',
    COMP_TIMEOUT: '20',
    COMP_CORE_EVENTS: 'TRUE',
    COMP_CORE_EVENT_DIR: '/Events/With/Capitals',
    DEPLOY_CRIO_CONFIG: 'true',
    LOG_LEVEL: 'error',
    HONOR_CORE_LIMIT: 'true',
  }).settings
  expect(composerEnv.split('\n').slice(0, 13)).toEqual([
    'LOG_LEVEL=debug',
    'IGNORE_CRIO=false',
    'INCLUDE_PROC_INFO=false',
    'CRIO_IMAGE_CMD=img',
    'USE_CRIO_CONF=true',
    'FILENAME_TEMPLATE={uuid}-dump-{timestamp}-{hostname}-{exe_name}-{pid}-{signal}',
    'LOG_LENGTH=500',
    'POD_SELECTOR_LABEL=',
    'TIMEOUT=20',
    'COMPRESSION=true',
    'CORE_EVENTS=true',
    'EVENT_DIRECTORY=/Events/With/Capitals',
    'CORE_DIR=/c',
  ])
  expect(parseEnv(composerEnv)['HONOR_CORE_LIMIT']).toBe('true')
})

test('INTERVAL wins over SCHEDULE, which wins over USE_INOTIFY', () => {
  const all = { INTERVAL: '7000', SCHEDULE: '0 * * * * *', USE_INOTIFY: 'true' }
  expect(trigger(all)).toEqual({ kind: 'interval', intervalMs: 7000 })
  expect(trigger({ ...all, INTERVAL: '' })).toEqual({ kind: 'schedule', pattern: '0 * * * * *' })
  expect(trigger({ USE_INOTIFY: 'TRUE' })).toEqual({ kind: 'watch' })
  expect(trigger({ USE_INOTIFY: 'false' })).toEqual({ kind: 'none' })
})

test.for([
  ['INTERVAL', '0'],
  ['INTERVAL', '-1'],
  ['INTERVAL', 'x'],
  ['INTERVAL', '999'],
  ['INTERVAL', '9999999999'],
  ['SCHEDULE', '*/5 * * * *'],
  ['SCHEDULE', '0 0 0 30 2 *'],
  ['SCHEDULE', 'hourly'],
  ['USE_INOTIFY', 'yes'],
])('B15: %s=%s is refused in words and bundles are uploaded anyway', ([name, value]) => {
  const { settings, problems } = readSettings({ [name!]: value, DESTINATION: 'file:/d' })
  expect(settings.trigger).toEqual({ kind: 'interval', intervalMs: 60_000 })
  expect(problems).toEqual([
    { variable: name, got: value, message: expect.stringMatching(/^expected .*; /) },
    { variable: name, message: expect.stringContaining('60000 ms') },
  ])
})

test('all bad settings are reported together, and each falls back alone [B15]', () => {
  const { settings, problems } = readSettings({
    HOST_DIR: 'relative',
    CORE_DIR: '/good',
    SUID_DUMPABLE: '3',
    VENDOR: 'rhel8',
    DEPLOY_CRIO_EXE: 'maybe',
    DESTINATION: 'ftp://nowhere',
    HEALTH_PORT: '70000',
    COMP_TIMEOUT: 'soon',
    COMP_CORE_EVENT_DIR: 'relative',
    CRI_CLIENT: 'docker',
  })
  expect(problems.map(({ variable }) => variable).toSorted()).toEqual(
    [
      'HOST_DIR',
      'SUID_DUMPABLE',
      'VENDOR',
      'DEPLOY_CRIO_EXE',
      'DESTINATION',
      'HEALTH_PORT',
      'COMP_TIMEOUT',
      'COMP_CORE_EVENT_DIR',
      'CRI_CLIENT',
    ].toSorted(),
  )
  expect(problems).toContainEqual({
    variable: 'SUID_DUMPABLE',
    got: '3',
    message: 'expected one of 0, 1, 2; `2` is used',
  })
  expect(settings).toMatchObject({ coreDir: '/good', hostDir: '/var/mnt/core-dump-handler' })
  expect(parseEnv(settings.composerEnv)).toMatchObject({ TIMEOUT: '600', CORE_DIR: '/good' })
})

test('the S3 variables of version 9 name a destination', () => {
  const { settings, problems } = readSettings({
    S3_BUCKET_NAME: 'cores',
    S3_PREFIX: '/a/b/',
    S3_REGION: 'eu-de',
    S3_ENDPOINT: 'minio.example:9000',
    S3_ACCESS_KEY: ' key-with-blanks-around\n',
    S3_SECRET: 'secret-1',
    S3_SSE: 'aws:kms',
    S3_KMS_KEY_ID: 'k',
    S3_PATH_STYLE: 'false',
    S3_CA_FILE: '/ca.pem',
  })
  expect(problems).toEqual([])
  expect(settings.destination).toEqual({
    url: 's3://cores/a/b',
    s3: {
      endpoint: 'https://minio.example:9000',
      region: 'eu-de',
      pathStyle: false,
      checksum: 'required',
      credentials: { accessKeyId: 'key-with-blanks-around', secretAccessKey: 'secret-1' },
      caFile: '/ca.pem',
      serverSideEncryption: 'aws:kms',
      kmsKeyId: 'k',
    },
  })
  expect(settings.secrets).toEqual(['key-with-blanks-around', 'secret-1'])
})

test('S3_PREFIX beside DESTINATION is reported, because it has no effect', () => {
  const { settings, problems } = readSettings({ DESTINATION: 's3://cores/a', S3_PREFIX: 'b' })
  expect(settings.destination?.url).toBe('s3://cores/a')
  expect(problems).toEqual([
    {
      variable: 'S3_PREFIX',
      got: 'b',
      message: 'has no effect beside DESTINATION: write the prefix into that URL',
    },
  ])
})

test('each variable has a row with what it accepts and its default', () => {
  const rows = new Map(VARIABLE_ROWS.map((row) => [row.name, row]))
  expect(rows.get('TAMPER')).toEqual({
    name: 'TAMPER',
    defaultValue: 'restore',
    accepts: 'one of restore, report',
  })
  expect(rows.get('INTERVAL')?.defaultValue).toBeUndefined()
  expect(VARIABLE_ROWS.filter(({ accepts }) => accepts === '')).toEqual([])
})

test('a region that is a host name is the endpoint, as in version 9', () => {
  const { settings } = readSettings({ S3_BUCKET_NAME: 'b', S3_REGION: 's3.rook.svc:80' })
  expect(settings.destination?.s3.endpoint).toBe('https://s3.rook.svc:80')
  expect(settings.destination?.s3.region).toBeUndefined()
})

test('the placeholder XXX is reported and counts as not set, so that a role is used [B12]', () => {
  const { settings, problems } = readSettings({
    S3_ACCESS_KEY: 'XXX',
    S3_SECRET: 'XXX',
    S3_BUCKET_NAME: 'cores',
    S3_REGION: 'XXX',
  })
  expect(problems.map(({ variable }) => variable)).toEqual([
    'S3_ACCESS_KEY',
    'S3_SECRET',
    'S3_REGION',
  ])
  expect(settings.destination).toEqual({ url: 's3://cores', s3: { checksum: 'required' } })
})

test('a web identity wins over keys, and half a pair of keys is not used', () => {
  const keys = { S3_BUCKET_NAME: 'b', S3_ACCESS_KEY: 'access-1', S3_SECRET: 'secret-1' }
  expect(credentials(keys)).toBeDefined()
  expect(credentials({ ...keys, AWS_WEB_IDENTITY_TOKEN_FILE: '/t' })).toBeUndefined()
  expect(credentials({ ...keys, S3_SECRET: '' })).toBeUndefined()
  expect(variablesOf({ ...keys, S3_SECRET: '' })).toEqual(['S3_SECRET'])
})

test('keys come from files too, trimmed; a file that cannot be used is named, not its content', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-'))
  try {
    const [access, secret, broken] = ['access', 'secret', 'broken'].map((name) => join(dir, name))
    await writeFile(access!, 'access-of-file\n')
    await writeFile(secret!, '  secret-of-file  \n')
    await writeFile(broken!, 'torn\nsecret-of-file')
    const env = { S3_BUCKET_NAME: 'b', S3_ACCESS_KEY_FILE: access, S3_SECRET_FILE: secret }
    const read = readSettings(env).settings
    const keys = read.destination?.s3.credentials
    if (typeof keys !== 'function') throw new Error('The keys of files are not read again')
    expect(await keys()).toEqual({
      accessKeyId: 'access-of-file',
      secretAccessKey: 'secret-of-file',
    })
    // a Secret that is rotated changes under the running agent
    await writeFile(secret!, 'secret-of-next-year')
    const redact = redactor(read.secrets)
    expect(redact('secret-of-file secret-of-next-year')).toBe('[redacted] secret-of-next-year')
    expect(await keys()).toMatchObject({ secretAccessKey: 'secret-of-next-year' })
    expect(redact('secret-of-file secret-of-next-year')).toBe('[redacted] [redacted]')
    await writeFile(secret!, '')
    await expect(keys()).rejects.toThrow(`\`${secret}\` is empty`)
    for (const file of [broken!, join(dir, 'absent')]) {
      const { settings, problems } = readSettings({ ...env, S3_SECRET_FILE: file })
      // not those of the node's role: the files are meant, and may be right later
      const later = settings.destination?.s3.credentials
      if (typeof later !== 'function') throw new Error('The keys of files are not read again')
      await expect(later()).rejects.toThrow(file)
      expect(problems[0]).toMatchObject({ variable: 'S3_SECRET_FILE', got: file })
      expect(JSON.stringify(problems)).not.toContain('secret-of-file')
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('D6: keys of files that are empty at the start are used once the files have them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-'))
  try {
    const [access, secret] = [join(dir, 'access'), join(dir, 'secret')]
    await writeFile(access, '')
    await writeFile(secret, '')
    const env = { S3_BUCKET_NAME: 'b', S3_ACCESS_KEY_FILE: access, S3_SECRET_FILE: secret }
    const { settings, problems } = readSettings(env)
    expect(problems.map(({ variable }) => variable)).toEqual([
      'S3_ACCESS_KEY_FILE',
      'S3_SECRET_FILE',
    ])
    expect(settings.destination?.s3.credentialFiles).toEqual([access, secret])
    const keys = settings.destination?.s3.credentials
    if (typeof keys !== 'function') throw new Error('The keys of files are not read again')
    await expect(keys()).rejects.toThrow(access)
    await writeFile(access, 'access-later')
    await writeFile(secret, 'secret-later')
    expect(await keys()).toEqual({ accessKeyId: 'access-later', secretAccessKey: 'secret-later' })
    expect(redactor(settings.secrets)('secret-later')).toBe('[redacted]')
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('D8: S3_VERIFY is how objects are verified', () => {
  const [head, response] = ['head', 'response'].map(
    (S3_VERIFY) => readSettings({ DESTINATION: 's3://cores', S3_VERIFY }).settings.destination,
  )
  expect(response?.s3).toMatchObject({ verify: 'response' })
  expect(head?.s3).toEqual({ checksum: 'required' })
})

test.for([
  // an agent of 128 MiB
  [{ S3_PART_BYTES: String(2 ** 30), S3_WORKERS: '64' }, 128, { partBytes: 64, workers: 1 }],
  [{ S3_PART_BYTES: String(16 * 2 ** 20), S3_WORKERS: '64' }, 128, { partBytes: 16, workers: 4 }],
  [{}, 128, undefined],
  [{ S3_PART_BYTES: String(2 ** 30), S3_WORKERS: '64' }, 0, undefined],
] as const)('parts of %j are fitted into %d MiB', ([env, limitMib, expected]) => {
  const { variables } = parseVariables(env)
  const parts = fitParts(variables, limitMib * 2 ** 20)
  const mib = parts && { partBytes: parts.partBytes / 2 ** 20, workers: parts.workers }
  expect(mib).toEqual(expected)
})

test('W1: entries of NO_PROXY that mean nothing are reported, and a proxy needs no scheme', () => {
  const { settings, problems } = readSettings({
    DESTINATION: 's3://cores',
    INTERVAL: '1000',
    HTTP_PROXY: 'proxy.example:3128',
    NO_PROXY: 'svc.cluster.local,10.0.0.0/8,10.0.0.0/40',
  })
  expect(settings.destination?.s3.proxyEnv).toMatchObject({
    HTTP_PROXY: 'http://proxy.example:3128',
  })
  expect(problems).toMatchObject([{ variable: 'NO_PROXY', got: '10.0.0.0/40' }])
})

test('B27: no complaint repeats a secret', () => {
  const { settings, problems } = readSettings({
    S3_ACCESS_KEY: 'canary access with blanks',
    S3_SECRET: 'canary\nsecret',
    S3_ENDPOINT: 'https://user:canary-password@host/',
    DESTINATION: 's3:/x//user:canary-password@host',
  })
  expect(problems.map(({ variable }) => variable)).toEqual([
    'DESTINATION',
    'S3_ACCESS_KEY',
    'S3_SECRET',
    'S3_ENDPOINT',
  ])
  expect(JSON.stringify(problems)).not.toMatch(/canary/)
  expect(settings.secrets).toContain('canary\nsecret')
})

test('the usual proxy variables are used; an invalid one is reported without its password', () => {
  const { settings, problems } = readSettings({
    DESTINATION: 's3://b',
    INTERVAL: '1000',
    https_proxy: 'http://u:canary-word@proxy:3128',
    HTTP_PROXY: 'canary-word@proxy',
    NO_PROXY: '.cluster.local',
    HTTPS_PROXY: '',
  })
  expect(settings.destination?.s3.proxyEnv).toEqual({
    https_proxy: 'http://u:canary-word@proxy:3128',
    NO_PROXY: '.cluster.local',
  })
  expect(problems.map(({ variable }) => variable)).toEqual(['HTTP_PROXY'])
  expect(JSON.stringify(problems)).not.toContain('canary')
  expect(settings.secrets).toContain('canary-word')
})
