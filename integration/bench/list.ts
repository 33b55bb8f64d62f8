/** How long `cdh list` takes for a bucket: one ranged request per bundle, of a real S3 server on this machine. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '@core-dump-handler/testing/bench/median'
import { positiveInteger } from '@core-dump-handler/testing/bench/parse'
import {
  COMMON_OPTIONS,
  COMMON_USAGE,
  log,
  publish,
} from '@core-dump-handler/testing/bench/publish'
import { writeCrashBundle } from '@core-dump-handler/testing/bundle/crash-bundle'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, programSource } from '@core-dump-handler/testing/report/programs'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { execa } from 'execa'

const USAGE = `Usage: npm run bench -- list [--bundles 1000] [--rounds 3]

Starts cdh, which lists a bucket of bundles with core, report and minicore.

${COMMON_USAGE}`
const CLI = new URL('../../apps/cli/src/cli.ts', import.meta.url).pathname

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    bundles: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
  },
})

async function run(bundles: number, rounds: number): Promise<number[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-list-'))
  const store = await startVersitygw(['--keep-alive'])
  try {
    compile(directory, 'gcc', ['-O1', '-pthread', '-w', '-o', 'crash', programSource('crash.c')])
    const exe = join(directory, 'crash')
    const core = await crashCore(directory, [exe, 'sort'])
    const { file } = await writeCrashBundle(directory, { core, exe })
    for (let index = 0; index < bundles; index++) {
      copyFileSync(join(directory, file), join(store.folder, `${index}-${file}`))
    }
    const args = ['--conditions=@core-dump-handler/source', CLI, 'list', `s3://${store.bucket}`]
    const env = {
      AWS_ACCESS_KEY_ID: store.accessKey,
      AWS_SECRET_ACCESS_KEY: store.secret,
      AWS_ENDPOINT_URL: store.endpoint,
    }
    const seconds: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const start = performance.now()
      const { stdout } = await execa(process.execPath, args, { env })
      seconds.push((performance.now() - start) / 1000)
      const listed = stdout.split('\n').length - 1
      if (listed !== bundles) throw new Error(`cdh listed ${listed} of ${bundles} bundles`)
      log(`${listed} bundles in ${seconds.at(-1)?.toFixed(1)} s`)
    }
    return seconds
  } finally {
    await store.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

if (options.help) process.stdout.write(USAGE)
else {
  const bundles = positiveInteger('--bundles', options.bundles)
  const seconds = await run(bundles, positiveInteger('--rounds', options.rounds))
  const middle = median(seconds)
  if (!options.json) process.stdout.write(`${bundles} bundles in ${middle.toFixed(1)} s\n`)
  publish(options, { figures: { [`list ${bundles} s`]: middle }, seconds })
}
