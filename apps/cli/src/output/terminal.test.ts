import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { runCdhInTerminal } from '@core-dump-handler/testing/cli/run-in-terminal'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const NAME = `0f8fad5b-d9cb-469f-a165-70867728950e-dump-1796042306-${'web-'.repeat(20)}7-11`
const COLOUR = '\u001b['
const CLEAR_LINE = '\u001b[K'

let directory: string
let env: Readonly<Record<string, string>>

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-terminal-'))
  const entries = { '.core': randomBytes(300_000), '-report.txt': 'the report' }
  await writeBundle(directory, { name: NAME, entries })
  env = { CDH_STORE: `file:${directory}` }
})

afterAll(() => rmSync(directory, { recursive: true }))

const COMMANDS = [
  ['show', 'latest'],
  ['verify', '--all'],
]

describe('colours', () => {
  it.for(COMMANDS)('are on a terminal only, and not with NO_COLOR: %j', async (args) => {
    const [terminal, without, pipe] = await Promise.all([
      runCdhInTerminal(args, env, 400),
      runCdhInTerminal(args, { ...env, NO_COLOR: '1' }, 400),
      runCdh(args, env),
    ])
    expect(terminal.stdout).toContain(COLOUR)
    expect(withoutProgress(without.stdout)).not.toContain(COLOUR)
    expect(pipe.stdout + pipe.stderr).not.toContain(COLOUR)
    expect([terminal.code, without.code, pipe.code]).toEqual([0, 0, 0])
  })

  it('are not in JSON', async () => {
    const { stdout } = await runCdhInTerminal(['list', '--json'], env)
    expect(JSON.parse(stdout).bundles).toHaveLength(1)
  })
})

describe('progress', () => {
  it('of a fetch stays on one line of the terminal, however long the name is', async () => {
    const { code, stdout } = await runCdhInTerminal(fetchTo('terminal'), env, 60)
    expect(code).toBe(0)
    const [lines = '', path] = stdout.trimEnd().split('\r\n')
    const drawn = lines.split(`\r${CLEAR_LINE}`).filter((line) => line !== '')
    expect(drawn.at(-1)).toMatch(/^0f8fad5b-.*…  \d+ kB of \d+ kB  100 %$/)
    for (const line of drawn) expect(line.length, line).toBeLessThan(60)
    expect(path).toBe(join(directory, 'terminal', `${NAME}.zip`))
  })

  it('is not in a pipe', async () => {
    expect(await runCdh(fetchTo('pipe'), env)).toEqual({
      code: 0,
      stdout: join(directory, 'pipe', `${NAME}.zip`),
      stderr: '',
    })
  })
})

function fetchTo(out: string): string[] {
  return ['fetch', 'latest', '-o', join(directory, out)]
}

/** Progress is no colour. */
function withoutProgress(text: string): string {
  return text.replaceAll(CLEAR_LINE, '')
}
