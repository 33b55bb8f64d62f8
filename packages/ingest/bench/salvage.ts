/**
 * node --conditions=@core-dump-handler/source packages/ingest/bench/salvage.ts [MIB] [MODE...]
 *
 * Measures the memory of a salvage: of a generated core whose writer was stopped before its end.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createPartFile,
  drain,
  type DrainMode,
  salvageZip,
  ZipWriter,
} from '@core-dump-handler/ingest'
import { Cores } from './cores.ts'
import { drainMode } from './drain-mode.ts'

// this program again, in another role
const OURS = ['--conditions=@core-dump-handler/source', import.meta.filename]

const [role = '2048', ...rest] = process.argv.slice(2)
if (role === 'leave') await leave(rest[0] ?? '', drainMode(rest[1]))
else if (role === 'salvage') await salvage(rest[0] ?? '')
else await bench(Number(role), rest.length > 0 ? rest : ['deflate', 'store'])

async function bench(mib: number, modes: readonly string[]): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'ingest-bench-'))
  try {
    const core = await new Cores(dir, { heapMib: 0, cores: undefined }).of('half-zero', mib)
    for (const mode of modes) {
      const path = join(dir, `${mode}.zip`)
      const left = ['-c', 'exec "$@" < "$0"', core, process.execPath, ...OURS, 'leave', path, mode]
      execFileSync('sh', left, { stdio: 'inherit' })
      execFileSync(process.execPath, [...OURS, 'salvage', path], { stdio: 'inherit' })
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Leaves an archive as a writer does that is killed within an entry. */
async function leave(path: string, mode: DrainMode | 'auto'): Promise<void> {
  const part = await createPartFile(path)
  await drain(0, new ZipWriter(part), { entryName: 'x.core', mode })
  part.truncate(part.bytes - 100_000)
  await part.close()
}

async function salvage(finalPath: string): Promise<void> {
  const path = finalPath.replace(/([^/]+)$/, '.$1.part')
  let most = 0
  const look = (): void => void (most = Math.max(most, rssAnonMib()))
  await salvageZip(path, { finalPath, addEntries: () => [['record', '{}']], onProgress: look })
  const mib = Math.round(statSync(finalPath).size / 2 ** 20)
  process.stdout.write(`${finalPath}: ${mib} MiB, at most ${most} MiB of RssAnon\n`)
}

function rssAnonMib(): number {
  const kib = /^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}
