import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { Random } from '@core-dump-handler/testing/random'
import { test } from '@core-dump-handler/testing/scratch'

/** Drains stdin into `$0` with the options `$1`, and prints the nice values of its threads by name. */
const PROGRAM = `
import { readdirSync, readFileSync } from 'node:fs'
import { createPartFile, drain, ZipWriter } from '@core-dump-handler/ingest'
const [path, options] = process.argv.slice(1)
const file = await createPartFile(path)
const zip = new ZipWriter(file)
const { complete } = await drain(0, zip, { entryName: 'core', ...JSON.parse(options) })
await zip.finish()
await file.publish()
const nice = new Set(readdirSync('/proc/self/task').map((thread) => {
  const stat = readFileSync('/proc/self/task/' + thread + '/stat', 'latin1')
  const name = /\\((.*)\\)/.exec(stat)?.[1]
  return [name === 'libuv-worker' ? 'pool' : 'other', stat.split(') ')[1].split(' ')[16]].join(' ')
}))
console.log(JSON.stringify({ complete, nice: [...nice].sort() }))
`

test.for([
  ['get the nice value for a large core', { laneNice: 7 }, 24_000_000, ['other 0', 'pool 7']],
  ['keep their priority by default', {}, 24_000_000, ['other 0', 'pool 0']],
  ['keep their priority for a small core', { laneNice: 7 }, 1_000_000, ['other 0', 'pool 0']],
] as const)('the pool threads %s', ([, options, bytes, nice], { dir }) => {
  const args = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', PROGRAM]
  const output = execFileSync(
    process.execPath,
    [...args, join(dir, 'a.zip'), JSON.stringify(options)],
    { cwd: import.meta.dirname, input: mixedContent(new Random(3), bytes), encoding: 'utf8' },
  )
  expect(JSON.parse(output)).toEqual({ complete: true, nice })
})
