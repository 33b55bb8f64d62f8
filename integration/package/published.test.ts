import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/set-up/root.mjs'
import { findTool, type ToolName } from '@core-dump-handler/testing/tools/find-tool'
import { createProject, type Project } from './project.ts'
import { PUBLISHED } from './workspace.ts'

const NODES: readonly ToolName[] = ['node-22', 'node-24', 'node-26']

let project: Project

beforeAll(async () => {
  project = await createProject()
  for (const { name, example } of PUBLISHED) {
    await writeFile(join(project.dir, exampleOf(name)), example)
  }
})

afterAll(() => project?.remove())

describe.for(PUBLISHED)('$name', ({ name, tarball }) => {
  test('has a tarball without a problem for publint', async () => {
    const args = [join(project.tarballs, tarball), '--strict']
    expect(await outputOf(bin('publint'), args)).toContain('All good')
  })

  test('has types that resolve where ES modules do', async () => {
    const args = [join(project.tarballs, tarball), '--profile', 'esm-only', '--no-color']
    // it ends with 1 on any problem that the profile does not ignore
    expect(await outputOf(bin('attw'), args)).toContain(`${name} v`)
  })

  test('has no compiled file without its source', async () => {
    const listed = await outputOf('tar', ['-tzf', join(project.tarballs, tarball)])
    const files = listed.split('\n')
    const compiled = files.filter((file) => /^package\/dist\/.*\.js$/.test(file))
    expect(compiled.length).toBeGreaterThan(5)
    for (const file of compiled) {
      expect(files).toContain(file.replace('/dist/', '/src/').replace(/\.js$/, '.ts'))
    }
  })

  test('has its sources, licence and README, and no test', async () => {
    const files = await outputOf('tar', ['-tzf', join(project.tarballs, tarball)])
    expect(files).toContain('package/src/index.ts')
    expect(files).toContain('package/dist/index.d.ts')
    expect(files).toContain('package/README.md')
    expect(files).toContain('package/LICENSE')
    expect(files).not.toMatch(/\.test\.|\/(bench|fixtures|testing|test-support)\//)
  })
})

test('the examples type-check with only the tarballs installed', async () => {
  const types = join(ROOT, 'node_modules/@types')
  const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext']
  const files = PUBLISHED.map(({ name }) => exampleOf(name))
  await execa(bin('tsc'), [...options, '--typeRoots', types, '--types', 'node', ...files], {
    cwd: project.dir,
  })
})

describe.for(NODES)('on %s', (node) => {
  let program: string

  beforeAll(async () => {
    program = await findTool(node)
  })

  test.for(PUBLISHED)('the example of $name runs from its tarball', async ({ name }) => {
    await execa(program, [exampleOf(name)], { cwd: project.dir, timeout: 60_000 })
  })

  test.for(PUBLISHED.flatMap(({ bins }) => bins))(
    '%s prints --version and --help',
    async (name) => {
      const env = { PATH: `${dirname(program)}:${process.env['PATH']}` }
      const file = join(project.dir, 'node_modules/.bin', name)
      expect(await outputOf(file, ['--version'], env)).toMatch(/\d+\.\d+\.\d+/)
      expect(await outputOf(file, ['--help'], env)).toContain('Usage')
    },
  )
})

async function outputOf(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await execa(program, args, { env })).stdout
}

function exampleOf(name: string): string {
  return `${name.split('/')[1]}.ts`
}

function bin(name: string): string {
  return join(ROOT, 'node_modules/.bin', name)
}
