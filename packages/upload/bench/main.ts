import { join } from 'node:path'
import { endOnSignals } from '@core-dump-handler/testing/end-on-signals'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { publish } from '@core-dump-handler/testing/bench/publish'
import { compare } from './compare.ts'
import { makeFile } from '@core-dump-handler/testing/bench/make-file'
import { parseOptions, USAGE, type UploadBenchOptions } from './options.ts'

const options = parseOptions(process.argv.slice(2))
if (options.help) process.stdout.write(USAGE)
else await bench(options)

async function bench(chosen: UploadBenchOptions): Promise<void> {
  endOnSignals()
  // real stores keep connections alive
  const store = await startVersitygw(['--keep-alive'])
  const dir = scratchDirectory()
  try {
    const file = await makeFile(join(dir, 'bundle.zip'), chosen.mib)
    publish(chosen, await compare(file, store, chosen))
  } finally {
    removeScratch(dir)
    await store.stop()
  }
}
