import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { elfBinary } from '@core-dump-handler/testing/elf-binary'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BinaryCache } from './binary-sources.ts'
import type { WantedModule } from './core-modules.ts'
import { imageSource } from './image-source.ts'

const IMAGE = 'registry.example/web@sha256:0123'
const ID = 'aa'.repeat(20)
const OTHER_ID = 'bb'.repeat(20)

/** Of each tool what `cdh` calls, by its documentation; anything else fails. */
const TOOLS = {
  crane: `[ "$*" = "export ${IMAGE} -" ] && exec /bin/cat "$TAR"`,
  docker: `case "$*" in
    "create ${IMAGE} /cdh-never-runs") echo 'Pulling from web' >&2; echo 0123abcd;;
    "export 0123abcd") exec /bin/cat "$TAR";;
    "rm 0123abcd") echo removed > "$TAR.removed";;
    *) exit 64;;
    esac`,
  // the real one opens /dev/stdout, which a child of Node cannot
  podman: `case "$*" in
    "create ${IMAGE} /cdh-never-runs") echo 0123abcd;;
    "export --output "*" 0123abcd") exec /bin/cp "$TAR" "$3";;
    "rm 0123abcd") echo removed > "$TAR.removed";;
    *) exit 64;;
    esac`,
} as const

let directory: string
let cache: BinaryCache

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-image-test-'))
  cache = new BinaryCache(join(directory, 'cache'))
  mkdirSync(join(directory, 'bin'))
  const app = join(directory, 'root/app')
  mkdirSync(app, { recursive: true })
  writeFileSync(join(app, 'web'), elfBinary(ID))
  writeFileSync(join(app, 'plugin.so'), elfBinary(OTHER_ID))
  linkSync(join(app, 'web'), join(app, 'zz-link'))
  // the name that comes first in the tar has the content, as in images of busybox
  execFileSync('tar', [
    '-C',
    join(directory, 'root'),
    '-cf',
    join(directory, 'tar'),
    'app/web',
    'app/plugin.so',
    'app/zz-link',
  ])
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function install(tool: string, script: string): void {
  const path = join(directory, 'bin', tool)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

const wanted = (path: string, buildId = ID): WantedModule => ({
  path,
  buildId,
  firstPage: elfBinary(buildId),
  isProgram: true,
})

async function find(...modules: readonly WantedModule[]): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {}
  // the tools of this machine are not asked
  vi.stubEnv('PATH', join(directory, 'bin'))
  vi.stubEnv('TAR', join(directory, 'tar'))
  try {
    await imageSource(IMAGE, cache).find(modules, ({ path }, file) => {
      found[path] = readFileSync(file)
    })
  } finally {
    vi.unstubAllEnvs()
  }
  return found
}

describe('imageSource', () => {
  it.for(['crane', 'docker', 'podman'] as const)(
    'reads an image by %s, also what is a hard link',
    async (tool) => {
      install(tool, TOOLS[tool])
      expect(await find(wanted('/app/web'))).toEqual({ '/app/web': elfBinary(ID) })
      expect(await find(wanted('/app/zz-link'))).toEqual({ '/app/zz-link': elfBinary(ID) })
      expect(existsSync(join(directory, 'tar.removed'))).toBe(tool !== 'crane')
    },
  )

  it.for([
    ['crane', `export --platform linux/arm64 ${IMAGE} -`],
    ['docker', `create --platform linux/arm64 ${IMAGE} /cdh-never-runs`],
    ['podman', `create --platform linux/arm64 ${IMAGE} /cdh-never-runs`],
    ['skopeo', `--override-arch arm64 copy --quiet docker://${IMAGE} dir:`],
  ] as const)('asks %s for the architecture of the crashed process', async ([tool, command]) => {
    install(tool, 'echo "$*" > "$TAR.asked"; exit 1')
    const machine = process.arch === 'arm64' ? 'amd64' : 'arm64'
    const foreign = { ...wanted('/app/web'), firstPage: elfBinary(ID) }
    foreign.firstPage.writeUInt16LE(machine === 'arm64' ? 183 : 62, 18)
    await expect(find(foreign)).rejects.toThrow('no tool can read it')
    const asked = readFileSync(join(directory, 'tar.asked'), 'utf8')
    expect(asked).toContain(command.replace('arm64', machine))
  })

  it('leaves out another build, whatever it is called', async () => {
    install('crane', TOOLS.crane)
    expect(
      await find(wanted('/app/plugin.so'), wanted('/app/zz-link', OTHER_ID), wanted('/app/absent')),
    ).toEqual({})
    // two builds at one path, as of a library that was replaced while it was mapped
    const found = await find(wanted('/app/web', OTHER_ID), wanted('/app/web'))
    expect(found).toEqual({ '/app/web': elfBinary(ID) })
  })

  it('asks the next tool when one fails, and names the reasons of all when none can', async () => {
    install('crane', 'echo UNAUTHORIZED >&2; exit 1')
    install('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    await expect(find(wanted('/app/web'))).rejects.toThrow(
      /^no tool can read it: crane: `UNAUTHORIZED`; docker: `Cannot connect to the Docker daemon`$/,
    )
    install('podman', TOOLS.podman)
    expect(await find(wanted('/app/web'))).toEqual({ '/app/web': elfBinary(ID) })
  })

  it('says what to install where there is no tool', async () => {
    await expect(find(wanted('/app/web'))).rejects.toThrow(
      /^install crane, docker, podman or skopeo$/,
    )
  })

  it('ends when the disk of the cache is full', async () => {
    await using disk = smallDisk(directory, 1)
    if (disk === undefined) return
    install('crane', TOOLS.crane)
    writeFileSync(join(disk.path, 'full'), Buffer.alloc(1 << 20))
    cache = new BinaryCache(disk.path)
    await expect(find(wanted('/app/web'))).rejects.toMatchObject({
      code: 'LOCAL',
      message: expect.stringContaining('ENOSPC'),
    })
  })
})
