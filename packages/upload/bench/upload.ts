// What an upload costs, beside other clients (build first): node bench/upload.ts
// [--mib 1024] [--rounds 3] [--only NAME] [--json]; CPU is that of the client alone
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Versitygw, findVersitygw } from '../src/testing/versitygw.ts'
import { clients } from './clients.ts'
import { makeFile } from './make-file.ts'
import { measure } from './measure.ts'
import type { Cost } from './measure.ts'

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const program = findVersitygw()
if (program === undefined) {
  process.stderr.write('bench: no S3 server to upload to: set VERSITYGW\n')
  process.exit(1)
}
const mib = Number(values.mib)
const dir = await mkdtemp(join(tmpdir(), 'upload-bench-'))
await using server = await Versitygw.start(program)
const { present, absent } = clients(server.url)
const chosen = present.filter(({ name }) => values.only === undefined || name.includes(values.only))
const costs = new Map<string, Cost[]>()
try {
  const file = await makeFile(join(dir, 'bundle.zip'), mib)
  for (let round = -1; round < Number(values.rounds); round++) {
    // in turns, so that the machine's moods are shared; the first one only warms up
    for (const { name, command, env } of chosen) {
      const key = 'bundle.zip'
      const cost = await measure(command(file, key), { ...process.env, ...env })
      const { size } = await stat(join(server.bucket, key))
      if (size !== mib * 1024 ** 2) throw new Error(`${name} stored ${size} bytes`)
      await rm(join(server.bucket, key))
      if (round >= 0) costs.set(name, [...(costs.get(name) ?? []), cost])
    }
  }
} finally {
  await rm(dir, { recursive: true, force: true })
}
report()

function report(): void {
  const rows = [...costs].map(([name, all]) => ({
    client: name,
    'MiB/s': Math.round(mib / median(all.map(({ wallS }) => wallS))),
    'CPU-s per GiB': Number(((median(all.map(({ cpuS }) => cpuS)) * 1024) / mib).toFixed(2)),
    'peak RSS MiB': Math.round(Math.max(...all.map(({ rssMiB }) => rssMiB))),
  }))
  const machine = `${mib} MiB, ${values.rounds} rounds, ${availableParallelism()} CPUs, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`
  if (values.json) process.stdout.write(`${JSON.stringify({ machine, absent, rows })}\n`)
  else {
    process.stdout.write(
      `${machine}${absent.length > 0 ? `, not installed: ${absent.join()}` : ''}\n`,
    )
    console.table(rows)
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
