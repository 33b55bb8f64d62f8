// uploads in a process of its own, to be killed: argv = destination URL, file, key, S3 options as JSON
import { openDestination } from '@core-dump-handler/upload'

const [, , url = '', file = '', key = '', s3 = '{}'] = process.argv
const destination = openDestination(url, { s3: JSON.parse(s3) })
const stored = await destination.put(file, key, {
  onProgress: ({ bytes }) => process.stdout.write(`${bytes}\n`),
})
process.stdout.write(`${JSON.stringify(stored)}\n`)
await destination.close()
