import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { LEAST, render } from '../scripts/helm.ts'
import { CHART, presetFile, presets } from '../scripts/presets.ts'
import { readValues, type Value } from '../scripts/read-values.ts'

const DOCS = ['README.md', '../docs/operations.md', '../docs/upgrading-from-ibm.md']
const TEXTS = [...DOCS.map((file) => join(CHART, file)), ...presets().map(presetFile)]

/** Every path of a value or group, in dots. */
function valuePaths(values: readonly Value[]): string[] {
  return values.flatMap(({ path, children = [] }) => [path.join('.'), ...valuePaths(children)])
}

const PATHS = new Set(valuePaths(readValues()))
const GROUPS = [...PATHS].filter((path) => !path.includes('.'))

/** They begin like the values below `kernel`. */
const SYSCTLS: ReadonlySet<string> = new Set(['kernel.core_pattern', 'kernel.core_pipe_limit'])

const isKnown = (path: string): boolean =>
  PATHS.has(path) || [...PATHS].some((known) => path.startsWith(`${known}.`) && isOpen(known))

function isOpen(path: string): boolean {
  const find = (values: readonly Value[]): Value | undefined =>
    values
      .flatMap((value) => [value, ...(value.children ?? [])])
      .find((v) => v.path.join('.') === path)
  return typeof find(readValues())?.defaultValue === 'object' && !find(readValues())?.children
}

test.for(TEXTS)('%s speaks of values that exist', async (file) => {
  const text = await readFile(file, 'utf8')
  const set = [...text.matchAll(/--set(?:-string)?[ =]'?([\w.]+)/g)].map(([, path]) => path!)
  const named = [...text.matchAll(/`([\w]+(?:\.\w+)+)(?::[^`]*)?`/g)]
    .map(([, path]) => path!)
    .filter((path) => GROUPS.includes(path.split('.')[0]!) && !SYSCTLS.has(path))
  for (const path of [...set, ...named]) expect(isKnown(path), path).toBe(true)
})

test.for(['README.md', '../docs/upgrading-from-ibm.md'])(
  'the values shown in %s are taken by the chart',
  async (file) => {
    const text = await readFile(join(CHART, file), 'utf8')
    const blocks = [...text.matchAll(/^ *```yaml\n([\s\S]*?)^ *```/gm)].map(([, block]) => block!)
    expect(blocks.length).toBeGreaterThan(0)
    const scratch = await mkdtemp(join(tmpdir(), 'values-'))
    try {
      for (const block of blocks) {
        expect(parse(block)).toBeTypeOf('object')
        await writeFile(join(scratch, 'values.yaml'), block)
        const rendered = await render({ files: [join(scratch, 'values.yaml')], set: LEAST })
        expect(rendered).toContain('kind: DaemonSet')
      }
    } finally {
      await rm(scratch, { recursive: true })
    }
  },
)

test.for([
  { backups: ['core_pattern', 'core_pipe_limit', 'suid_dumpable'], left: [] },
  { backups: ['suid_dumpable'], left: ['.env', 'cdc', 'lib-0123456789ab'] },
])('the commands that restore a node manually work, with backups %j', async ({ backups, left }) => {
  const text = await readFile(join(CHART, '../docs/operations.md'), 'utf8')
  const commands = /```sh\n(cd \/var[\s\S]*?)```/.exec(text)?.[1] ?? ''
  const scratch = await mkdtemp(join(tmpdir(), 'by-hand-'))
  try {
    const [host, sys] = [join(scratch, 'host'), join(scratch, 'sys')]
    for (const dir of ['host', 'sys/kernel', 'sys/fs']) {
      await mkdir(join(scratch, dir), { recursive: true })
    }
    await writeFile(join(sys, 'kernel/core_pattern'), `|${host}/cdc -c=%c\n`)
    for (const name of ['cdc', '.env', 'lib-0123456789ab']) {
      await writeFile(join(host, name), '')
    }
    for (const name of backups) await writeFile(join(host, `${name}.bak`), `|old ${name} %p`)

    // sysctl(8) with another root
    const sysctl = `sysctl() { k="\${2%%=*}"; printf '%s\\n' "\${2#*=}" >"${sys}/\${k%.*}/\${k#*.}"; }`
    const here = commands
      .replaceAll('/var/mnt/core-dump-handler', host)
      .replaceAll('/proc/sys', sys)
    execFileSync('sh', ['-ec', `${sysctl}\n${here}`], { stdio: 'pipe' })
    const pattern = (await readFile(join(sys, 'kernel/core_pattern'), 'utf8')).trim()
    expect(pattern).toBe(backups.length > 1 ? '|old core_pattern %p' : `|${host}/cdc -c=%c`)
    expect((await readdir(host)).toSorted()).toEqual(left)
  } finally {
    await rm(scratch, { recursive: true })
  }
})
