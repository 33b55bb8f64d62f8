import { apiServer } from './cluster/api-server.ts'
import { isUninstalling } from './cluster/is-uninstalling.ts'
import type { CommandContext } from './command.ts'
import { remove } from './remove.ts'

/** `remove`, but only where no other pod will come: what a preStop hook cannot know by itself. */
export async function removeIfUninstalling(context: CommandContext): Promise<number> {
  const { uninstalling, because } = await isUninstalling(apiServer(context.env), context.env)
  context.log.info({ because }, uninstalling ? 'uninstalling' : 'not uninstalling: all stays')
  return uninstalling ? remove(context) : 0
}
