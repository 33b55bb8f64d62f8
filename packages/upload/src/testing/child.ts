// started by the tests to be killed in mid-upload: argv = destination URL, file, key, S3 options as JSON
import { openDestination } from '../index.ts'

const [, , url = '', file = '', key = '', s3 = '{}'] = process.argv
const destination = openDestination(url, { s3: JSON.parse(s3) })
const stored = await destination.put(file, key, {
  onProgress: ({ bytes }) => process.stdout.write(`${bytes}\n`),
})
process.stdout.write(`${JSON.stringify(stored)}\n`)
await destination.close()
