import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publish } from '../../../scripts/bench/publish.ts'
import { findTool } from '../../../scripts/tools/index.ts'
import { Versitygw } from '../src/testing/versitygw.ts'
import { carryByAgent } from './agent.ts'
import { compare } from './compare.ts'
import { makeFile } from './make-file.ts'
import { parseOptions, USAGE, type UploadBenchOptions } from './options.ts'

const options = parseOptions(process.argv.slice(2))
if (options.help) process.stdout.write(USAGE)
else await bench(options)

async function bench(chosen: UploadBenchOptions): Promise<void> {
  await using server = await Versitygw.start(await findTool('versitygw'))
  if (chosen.agent) {
    publish(chosen, await carryByAgent(server, chosen))
    return
  }
  const dir = await mkdtemp(join(chosen.dir ?? tmpdir(), 'upload-bench-'))
  try {
    const file = await makeFile(join(dir, 'bundle.zip'), chosen.mib)
    publish(chosen, await compare(file, server, chosen))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
