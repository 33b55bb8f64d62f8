import { expect, test } from 'vitest'
import { agentEnvironment, podSpec } from './objects.ts'

/** Value of the chart as given to helm, variable of the agent, what arrives there. */
const ARRIVES: readonly (readonly [set: string, variable: string, value: string])[] = [
  ['destination=s3://b/c', 'DESTINATION', 's3://b/c'],
  ['destination=,daemonset.s3BucketName=b', 'S3_BUCKET_NAME', 'b'],
  ['s3.region=eu-west-1', 'S3_REGION', 'eu-west-1'],
  ['daemonset.s3Region=eu-west-1', 'S3_REGION', 'eu-west-1'],
  ['s3.endpoint=http://store:9000', 'S3_ENDPOINT', 'http://store:9000'],
  ['s3.pathStyle=false', 'S3_PATH_STYLE', 'false'],
  ['s3.serverSideEncryption=AES256', 'S3_SSE', 'AES256'],
  ['s3.kmsKeyId=alias/k', 'S3_KMS_KEY_ID', 'alias/k'],
  ['s3.storageClass=STANDARD_IA', 'S3_STORAGE_CLASS', 'STANDARD_IA'],
  ['s3.checksum=supported', 'S3_CHECKSUM', 'supported'],
  ['s3.verify=response', 'S3_VERIFY', 'response'],
  ['s3.partBytes=8Mi', 'S3_PART_BYTES', '8388608'],
  ['s3.workers=3', 'S3_WORKERS', '3'],
  ['s3.ca.secret=ca', 'S3_CA_FILE', '/etc/core-dump-handler/ca/ca.crt'],
  ['s3.existingSecret=k', 'S3_ACCESS_KEY_FILE', '/etc/core-dump-handler/s3/access-key-id'],
  ['s3.existingSecret=k', 'S3_SECRET_FILE', '/etc/core-dump-handler/s3/secret-access-key'],
  ['composer.ignoreCrio=true', 'COMP_IGNORE_CRIO', 'true'],
  ['composer.includeProcInfo=true', 'COMP_INCLUDE_PROC_INFO', 'true'],
  ['composer.crioImageCmd=images', 'COMP_CRIO_IMAGE_CMD', 'images'],
  ['composer.logLevel=Debug', 'COMP_LOG_LEVEL', 'Debug'],
  ['composer.filenameTemplate={uuid}-x', 'COMP_FILENAME_TEMPLATE', '{uuid}-x'],
  ['composer.filenameTemplate={{uuid}}-x', 'COMP_FILENAME_TEMPLATE', '{uuid}-x'],
  ['composer.logLength=7', 'COMP_LOG_LENGTH', '7'],
  ['composer.podSelectorLabel=a/b', 'COMP_POD_SELECTOR_LABEL', 'a/b'],
  ['composer.timeout=20', 'COMP_TIMEOUT', '20'],
  ['composer.compression=false', 'COMP_COMPRESSION', 'false'],
  ['composer.coreEvents=true', 'COMP_CORE_EVENTS', 'true'],
  ['composer.compressionMode=store', 'COMP_COMPRESSION_MODE', 'store'],
  ['composer.compressionEngine=zlib', 'COMP_COMPRESSION_ENGINE', 'zlib'],
  ['composer.holdBudgetMs=100', 'COMP_HOLD_BUDGET_MS', '100'],
  ['composer.holdBudgetMs=0', 'COMP_HOLD_BUDGET_MS', '0'],
  ['composer.criClient=grpc', 'COMP_CRI_CLIENT', 'grpc'],
  ['composer.honorCoreLimit=true', 'COMP_HONOR_CORE_LIMIT', 'true'],
  ['composer.suidCores=refuse', 'COMP_SUID_CORES', 'refuse'],
  ['composer.report=crash', 'COMP_REPORT', 'crash'],
  ['composer.minicore=false', 'COMP_MINICORE', 'false'],
  ['composer.binaries=true', 'COMP_BINARIES', 'true'],
  ['limits.spoolBytes=2Gi', 'SPOOL_MAX_BYTES', '2147483648'],
  ['limits.spoolBytes=3000000000', 'SPOOL_MAX_BYTES', '3000000000'],
  ['limits.spoolFiles=50', 'SPOOL_MAX_FILES', '50'],
  ['limits.maxAgeHours=24', 'SPOOL_MAX_AGE_HOURS', '24'],
  ['limits.minFreeBytes=500M', 'COMP_MIN_FREE_BYTES', '500000000'],
  ['limits.maxCoreBytes=4Gi', 'COMP_MAX_CORE_BYTES', '4294967296'],
  ['limits.oversizedCore=refuse', 'COMP_OVERSIZED_CORE', 'refuse'],
  ['limits.rateCrashes=5', 'COMP_RATE_CRASHES', '5'],
  ['limits.rateWindowSeconds=60', 'COMP_RATE_WINDOW_SECONDS', '60'],
  ['limits.concurrentDrains=2', 'COMP_CONCURRENT_DRAINS', '2'],
  ['daemonset.hostDirectory=/opt/cdh/', 'HOST_DIR', '/opt/cdh'],
  ['daemonset.coreDirectory=/data/cores', 'CORE_DIR', '/data/cores'],
  ['daemonset.eventDirectory=/data/events', 'COMP_CORE_EVENT_DIR', '/data/events'],
  ['daemonset.crioEndpoint=unix:///run/x.sock', 'CRIO_ENDPOINT', 'unix:///run/x.sock'],
  ['daemonset.suidDumpable=0', 'SUID_DUMPABLE', '0'],
  ['daemonset.vendor=rhel7', 'VENDOR', 'rhel7'],
  ['daemonset.interval=60000', 'INTERVAL', '60000'],
  ['daemonset.interval=3000000', 'INTERVAL', '3000000'],
  ['daemonset.schedule=0 * * * * *', 'SCHEDULE', '0 * * * * *'],
  ['daemonset.useINotify=false', 'USE_INOTIFY', 'false'],
  ['daemonset.deployCrioConfig=true', 'DEPLOY_CRIO_CONFIG', 'true'],
  ['daemonset.includeCrioExe=true', 'DEPLOY_CRIO_EXE', 'true'],
  ['agent.logLevel=debug', 'LOG_LEVEL', 'debug'],
  ['agent.onTampering=report', 'TAMPER', 'report'],
  ['kernel.managedBy=node', 'KERNEL_MANAGED_BY', 'node'],
  ['receiver.mode=required', 'RECEIVER_MODE', 'required'],
  ['metrics.port=8080', 'HEALTH_PORT', '8080'],
  ['events.enabled=false', 'POD_EVENTS', 'false'],
  ['daemonset.name=dumps', 'DAEMONSET_NAME', 'dumps'],
]

test.for(ARRIVES)('%s arrives as %s [B14]', async ([set, variable, value]) => {
  const pairs = set.split(',').map((pair) => pair.replaceAll(/[{}]/g, String.raw`\$&`))
  expect(await agentEnvironment(pairs)).toMatchObject({ [variable]: value })
})

test('extraEnvVars as text, as in v9, is rendered as a template', async () => {
  const text = `daemonset.extraEnvVars=- name: HTTPS_PROXY\n  value: {{ .Release.Namespace }}:3128`
  expect(await agentEnvironment([text.replaceAll(/[{}]/g, String.raw`\$&`)])).toMatchObject({
    HTTPS_PROXY: 'observe:3128',
  })
})

test('a setting that was not given leaves the default to the programs', async () => {
  const unset = ['CRIO_ENDPOINT', 'LOG_LEVEL', 'S3_WORKERS', 'S3_REGION', 'INTERVAL', 'SCHEDULE']
  expect(Object.keys(await agentEnvironment())).not.toEqual(expect.arrayContaining([unset[0]]))
  for (const name of unset) expect(await agentEnvironment()).not.toHaveProperty(name)
})

test("v9's default socket is not passed on, so that the composer searches for another runtime", async () => {
  const given = 'daemonset.crioEndpoint=unix:///run/containerd/containerd.sock'
  expect(await agentEnvironment([given])).not.toHaveProperty('CRIO_ENDPOINT')
})

test('store keys reach the agent as files, and no variable or annotation shows them', async () => {
  const pod = await podSpec(['s3.accessKeyId=AKIACANARY', 's3.secretAccessKey=canary-secret'])
  expect(JSON.stringify(pod)).not.toMatch(/AKIACANARY|canary-secret/)
  expect(pod.spec.volumes).toContainEqual(expect.objectContaining({ name: 's3-credentials' }))
})

test('the agent sees of the node its directories and three files of /proc/sys, nothing else', async () => {
  const { spec } = await podSpec()
  expect(spec.volumes.map(({ hostPath }) => hostPath?.path)).toEqual([
    '/var/mnt/core-dump-handler',
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/core_pipe_limit',
    '/proc/sys/fs/suid_dumpable',
  ])
})
