import { access, constants, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import { resolveTool, type ToolName } from './catalogue.ts'
import { unpackReadyBuilt } from './ready-built.ts'
import { ToolError } from './tool.ts'
import type { Tool } from './tool.ts'

export { isToolName, TOOL_NAMES, type ToolName } from './catalogue.ts'

export interface FindToolOptions {
  /**
   * Folder that keeps what was unpacked or built.
   * @default `CORE_DUMP_CACHE`, else `.cache` in the repository
   */
  readonly cache?: string
  /**
   * Folder with ready-built `*.xz` files; not needed by anything.
   * @default `CORE_DUMP_TOOLS`
   */
  readonly readyBuilt?: string | undefined
  /** One line for the user who waits. @default standard error */
  readonly say?: (line: string) => void
}

const REPOSITORY_CACHE = new URL('../../../../.cache', import.meta.url).pathname

/**
 * Absolute path of a test tool in exactly the version the tests are written against, made when it is
 * not there yet: from PATH, the cache, the folder of ready-built files, else built or downloaded.
 * Programs of one tool lie in one folder (`dirname(path)` belongs on the PATH of the program that starts them).
 * @throws ToolError naming the tool, what was tried, and what to do
 */
export async function findTool(name: ToolName, options: FindToolOptions = {}): Promise<string> {
  const { owner, tool, file } = resolveTool(name)
  const found = tool.probe && (await findOnPath(tool.probe))
  if (found && (await exists(join(dirname(found), file)))) return join(dirname(found), file)

  const cache = options.cache ?? process.env['CORE_DUMP_CACHE'] ?? REPOSITORY_CACHE
  const folder = join(cache, 'tools', `${owner}-${tool.version}`)
  const path = join(folder, file)
  if (!(await exists(path))) await make(owner, tool, folder, cache, options)
  return path
}

async function make(
  name: string,
  tool: Tool,
  folder: string,
  cache: string,
  { readyBuilt = process.env['CORE_DUMP_TOOLS'], say = sayOnStderr }: FindToolOptions,
): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  // made apart and renamed, so that an interrupted build is never taken for a tool
  const scratch = await mkdtemp(`${folder}.`)
  const started = performance.now()
  try {
    const unpacked = readyBuilt && (await unpackReadyBuilt(tool, readyBuilt, scratch, say))
    if (!unpacked) {
      say(`${name} ${tool.version} is not on PATH nor in the cache: ${tool.cost}`)
      await tool.make({ folder: scratch, cache, say })
    }
    for (const [link, target] of Object.entries(tool.links ?? {})) {
      await symlink(target, join(scratch, link))
    }
    await rename(scratch, folder).catch(async (error: unknown) => {
      // another process made the same tool meanwhile: it is as good
      if (!(await exists(folder))) throw error
    })
    const how = unpacked ? 'unpacked' : 'ready'
    say(
      `${name} ${tool.version} ${how} after ${((performance.now() - started) / 1000).toFixed(1)} s`,
    )
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ToolError(name, `Cannot make the test tool \`${name}\` ${tool.version}: ${reason}`, {
      cause,
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Path of the first program on PATH that says it is the wanted version. */
async function findOnPath({
  command,
  args,
  expect,
}: NonNullable<Tool['probe']>): Promise<string | undefined> {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, command)
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!executable) continue
    // one that cannot say its version is not the one we know
    const { stdout } = await execa(path, args, { timeout: 10_000, reject: false })
    if (expect.test(stdout ?? '')) return path
  }
  return undefined
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function sayOnStderr(line: string): void {
  process.stderr.write(`tools: ${line}\n`)
}
