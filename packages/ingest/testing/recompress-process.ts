/** recompress-process ZIP ENTRY: one recompression, to be killed at any moment. */
import { recompressZip } from '../src/index.ts'

const [path = '', entryName = ''] = process.argv.slice(2)
process.stdout.write('begun\n')
const result = await recompressZip(path, { entryName, level: 1 })
process.stdout.write(`${JSON.stringify(result)}\n`)
