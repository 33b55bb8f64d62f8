/** recompress-process ZIP ENTRY: one recompression, for tests that kill it. */
import { recompressZip } from '@core-dump-handler/ingest'

const [path = '', entryName = ''] = process.argv.slice(2)
process.stdout.write('begun\n')
const result = await recompressZip(path, { entryName, level: 1 })
process.stdout.write(`${JSON.stringify(result)}\n`)
