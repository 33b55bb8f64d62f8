import { dirname, join } from 'node:path'
import { findTool } from '../../scripts/tools/index.ts'
import type { ContainerdVersion } from './containerd-config.ts'

const TOOLS = {
  '1.6': 'containerd-1.6',
  '1.7': 'containerd-1.7',
  '2': 'containerd',
} as const satisfies Record<ContainerdVersion, string>

/** Where the programs of a containerd version are, and the PATH on which it finds its own shim first. */
export async function containerdPrograms(
  version: ContainerdVersion,
): Promise<{ containerd: string; ctr: string; path: string }> {
  const containerd = await findTool(TOOLS[version])
  const directory = dirname(containerd)
  // runc of Debian's own release lies in sbin
  const path = `${directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
  return { containerd, ctr: join(directory, 'ctr'), path }
}
