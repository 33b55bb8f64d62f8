/**
 * drain-process OUT MODE [OPTION=VALUE...] < CORE
 *
 * Drains standard input as the composer does, and does nothing else: V8 collects when it likes to.
 */
import { createPartFile, drain, ZipWriter } from '@core-dump-handler/ingest'
import { drainMode } from './drain-mode.ts'

const TEXTS = new Set(['engine', 'koffiPath'])

const [out = '', mode = 'deflate', ...rest] = process.argv.slice(2)
const options = Object.fromEntries(rest.map((option) => option.split('=')))
const values = Object.fromEntries(
  Object.entries(options).map(([name, value]) => [name, TEXTS.has(name) ? value : Number(value)]),
)

const file = await createPartFile(out)
const zip = new ZipWriter(file)
const composers = { entryName: 'core', laneNice: 5 }
const result = await drain(0, zip, { ...composers, mode: drainMode(mode), ...values })
await zip.finish()
process.stdout.write(`${JSON.stringify(result)}\n`)
if (!result.complete) process.exitCode = 1
