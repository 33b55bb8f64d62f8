/**
 * recompress CORE...: what the recompression of a bundle costs and saves.
 *
 * Each core becomes a bundle in mode `adaptive`, and a copy of it is recompressed at each level by a
 * process of its own. Prints a line for each: seconds, CPU, peak memory, size.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createPartFile, drain, recompressZip, ZipWriter } from '@core-dump-handler/ingest'

const LEVELS = [1, 3, 6]
const LANES = [1, 2]
const [first = '', ...rest] = process.argv.slice(2)
if (first === '--one') await one(rest[0] ?? '', Number(rest[1]), Number(rest[2]))
else for (const core of [first, ...rest]) await compare(core)

/** In a process of its own, so that its memory and CPU are its own. */
async function one(path: string, level: number, lanes: number): Promise<void> {
  const started = performance.now()
  const result = await recompressZip(path, { entryName: 'x.core', level, lanes })
  const seconds = (performance.now() - started) / 1000
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const cpu = (userCPUTime + systemCPUTime) / 1e6
  const size = result.outcome === 'replaced' ? result.bytes : result.fromBytes
  const facts = [seconds.toFixed(2), cpu.toFixed(2), Math.round(maxRSS / 1024), size]
  process.stdout.write(facts.join('\t'))
}

async function compare(core: string): Promise<void> {
  const dir = mkdtempSync(join(dirname(core) || tmpdir(), 'recompress-bench-'))
  try {
    const original = join(dir, 'original.zip')
    const part = createPartFile(original)
    const zip = new ZipWriter(part)
    await drain(openSync(core, 'r'), zip, { entryName: 'x.core', mode: 'adaptive' })
    await zip.finish()
    await part.publish()
    const bytes = statSync(core).size
    const percent = (size: number): string => `${((100 * size) / bytes).toFixed(1)} %`
    const from = percent(statSync(original).size)
    process.stdout.write(`${basename(core)}, ${bytes >> 20} MiB, bundle of ${from}\n`)
    process.stdout.write('level\tlanes\ts\tCPU s\tRSS MiB\tout\n')
    for (const level of LEVELS) {
      for (const lanes of LANES) {
        const path = join(dir, 'x.zip')
        copyFileSync(original, path)
        const args = [...process.execArgv, import.meta.filename, '--one', path]
        const { stdout } = spawnSync(process.execPath, [...args, `${level}`, `${lanes}`], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const [s, cpu, rss, size] = stdout.split('\t')
        process.stdout.write(`${[level, lanes, s, cpu, rss, percent(Number(size))].join('\t')}\n`)
      }
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
}
