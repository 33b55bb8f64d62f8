import { expect, test } from 'vitest'
import { LEAST, render } from '../scripts/helm.ts'

/** Values that make no sense, and the message of helm: it names the value to set. */
const REFUSED: readonly (readonly [set: readonly string[], message: RegExp])[] = [
  [['image.registry='], /image\.registry is not set.*build the image and push it/],
  [['destination='], /no destination: set destination to s3:/],
  [['destination=gs://b'], /destination.*does not match pattern/],
  [['destination=s3:///x'], /destination.*does not match pattern/],
  [['destination=file:/'], /absolute directory, not the root/],
  [['destination=file:relative'], /destination/],
  [['destination=file:/var/mnt/core-dump-handler/cores/x'], /inside daemonset\.coreDirectory/],
  [['daemonset.s3BucketName=other'], /different buckets: keep destination/],
  [['daemonset.interval=60000', 'daemonset.schedule=0 * * * * *'], /both set: keep one/],
  [['daemonset.interval=10'], /interval.*1,?000/],
  [['daemonset.schedule=* * * * *'], /needs 6 fields, seconds first/],
  [['daemonset.hostDirectory=relative'], /hostDirectory/],
  [['daemonset.hostDirectory=/'], /hostDirectory/],
  [['daemonset.hostDirectory=/a/../b'], /without `\.\.`/],
  [[`daemonset.hostDirectory=/${'d'.repeat(90)}`], /127 bytes/],
  [['daemonset.suidDumpable=3'], /suidDumpable/],
  [['daemonset.vendor=rhel6'], /vendor/],
  [['s3.accessKeyId=a'], /only one of s3\.accessKeyId and s3\.secretAccessKey/],
  [['s3.accessKeyId=a', 's3.secretAccessKey=b', 's3.existingSecret=c'], /keep the Secret/],
  [['s3.ca.secret=a', 's3.ca.configMap=b'], /keep one/],
  [['image.digest=latest'], /digest/],
  [['composer.timeout=soon'], /timeout/],
  [['limits.spoolBytes=lots'], /spoolBytes/],
  [['kernel.managedBy=init-container'], /set receiver\.mode to required or auto/],
  [['compozer.timeout=20'], /compozer/],
  [['s3.bucket=b'], /bucket/],
]

test.for(REFUSED)('%j is refused', async ([set, message]) => {
  await expect(render({ set: [...LEAST, ...set] })).rejects.toThrow(message)
})

test.for([
  ['daemonset.useINotify=false', 'daemonset.interval=60000'],
  ['daemonset.useINotify=true', 'daemonset.schedule=0 0 * * * *'],
  ['daemonset.interval=60000', 'daemonset.schedule='],
  ['destination=', 'daemonset.s3BucketName=XXX'],
  ['destination=', 'daemonset.manageStoreSecret=false', 'daemonset.envFrom[0].secretRef.name=x'],
  ['composer.timeout=20', 'composer.logLength=3000'],
  ['global.anything=1', 'x-mine.anything=1'],
])('%j is taken: what counts is the value, not that it is there', async (set) => {
  expect(await render({ set: [...LEAST, ...set] })).toContain('kind: DaemonSet')
})
