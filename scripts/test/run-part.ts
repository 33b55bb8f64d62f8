import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handOver } from '../set-up/pinned-node.mjs'
import { ROOT } from '../set-up/root.mjs'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import type { Part } from './parts.ts'
import { count, type Report, type Tally } from './tally.ts'

const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')

/** Run one part, its output going where ours goes, and count what it reports, kept in `reportDir`. */
export async function runPart(
  { name, args, tools = [] }: Part,
  reportDir: string | undefined,
): Promise<Tally> {
  for (const tool of tools) {
    // without it its tests are skipped, or fail where CI=true
    await findTool(tool).catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
  }
  const scratch = await mkdtemp(join(tmpdir(), 'core-dump-handler-test-'))
  try {
    const file = join(scratch, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const code = await handOver(process.execPath, [VITEST, 'run', ...args, ...reporters])
    const text = await readFile(file, 'utf8').catch(() => '{"testResults":[]}')
    if (reportDir !== undefined) {
      await mkdir(reportDir, { recursive: true })
      await writeFile(join(reportDir, `${name}.json`), text)
    }
    const tally = count(JSON.parse(text) as Report)
    // an error outside any test, or no tests at all, is in no report
    return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
