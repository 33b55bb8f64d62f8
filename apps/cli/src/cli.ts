import process from 'node:process'
import { codeOf } from './error.ts'
import { main } from './main.ts'
import { Output } from './output/output.ts'

// `cdh list | head` is no failure
process.stdout.on('error', (error) => {
  if (codeOf(error) !== 'EPIPE') throw error
  process.exit(0)
})

const output = new Output(process.stdout, process.stderr)
process.exitCode = await main(process.argv.slice(2), process.env, output)
