// Does an upload of any size fit where the agent lives? As root, build first: node bench/limited.ts
// [--mib 5120] [--limit-mib 128]; runs one upload in a memory cgroup and tells what the kernel counted
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CREDENTIALS, Versitygw, findVersitygw } from '../src/testing/versitygw.ts'
import { makeFile } from './make-file.ts'
import { measure } from './measure.ts'

const MIB = 1024 ** 2
const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '5120' },
    'limit-mib': { type: 'string', default: '128' },
  },
})
const v1 = existsSync('/sys/fs/cgroup/memory')
const group = join(v1 ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup', `upload-bench-${process.pid}`)
const [limit, peak] = v1
  ? ['memory.limit_in_bytes', 'memory.max_usage_in_bytes']
  : ['memory.max', 'memory.peak']
const mib = Number(values.mib)
const dir = await mkdtemp(join(tmpdir(), 'upload-bench-'))
await using server = await Versitygw.start(findVersitygw() ?? '')
try {
  const file = await makeFile(join(dir, 'bundle.zip'), mib)
  mkdirSync(group)
  writeFileSync(join(group, limit), String(Number(values['limit-mib']) * MIB))
  const put = new URL('put.mjs', import.meta.url).pathname
  const flags = '--max-semi-space-size=2 --max-old-space-size=64'
  // the shell enters the group and becomes the program
  const script = `echo $$ > ${group}/cgroup.procs && exec ${process.execPath} ${flags} ${put} ${file} x.zip`
  const s3 = { endpoint: server.url, region: 'us-east-1', credentials: CREDENTIALS }
  const cost = await measure(['sh', '-c', script], { ...process.env, BENCH_S3: JSON.stringify(s3) })
  const { size } = await stat(join(server.bucket, 'x.zip'))
  if (size !== mib * MIB) throw new Error(`stored ${size} bytes`)
  const counted = Number(readFileSync(join(group, peak), 'utf8')) / MIB
  process.stdout.write(
    `${mib} MiB within ${values['limit-mib']} MiB: RSS ${Math.round(cost.rssMiB)} MiB, ` +
      `${(cost.cpuS / (mib / 1024)).toFixed(2)} CPU-s per GiB, ${Math.round(mib / cost.wallS)} MiB/s, ` +
      `group peak ${Math.round(counted)} MiB (page cache included)\n`,
  )
} finally {
  if (existsSync(group)) rmdirSync(group)
  await rm(dir, { recursive: true, force: true })
}
