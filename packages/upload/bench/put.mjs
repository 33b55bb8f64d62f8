// one upload, to be measured from outside: argv = file, url, key; the store comes by BENCH_S3 (JSON).
// Plain JavaScript on the built package, as it is installed: stripping types costs memory of its own.
import { openDestination } from '../dist/index.js'

const [, , file = '', url = '', key = ''] = process.argv
const s3 = JSON.parse(process.env['BENCH_S3'] ?? '{}')
const destination = openDestination(url, { s3 })
await destination.put(file, key)
await destination.close()
