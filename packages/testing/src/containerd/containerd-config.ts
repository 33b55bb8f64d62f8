import { dirname, join } from 'node:path'
import { findTool } from '../tools/find-tool.ts'

/** The containerd releases under test: Debian's packages and the newest one. */
export const CONTAINERD_VERSIONS = ['1.6', '1.7', '2'] as const
export type ContainerdVersion = (typeof CONTAINERD_VERSIONS)[number]

const TOOLS = {
  '1.6': 'containerd-1.6',
  '1.7': 'containerd-1.7',
  '2': 'containerd',
} as const satisfies Record<ContainerdVersion, string>

export const PAUSE_IMAGE = 'test.local/pause:1'

/** All files below `directory`, no pulls, no network. */
export function containerdConfig(version: ContainerdVersion, directory: string): string {
  const cri =
    version === '2'
      ? `
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${directory}/cni/bin"]
    conf_dir = "${directory}/cni"
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
`
      : `
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${directory}/cni/bin"
    conf_dir = "${directory}/cni"
`
  return `version = ${version === '2' ? 3 : 2}
root = "${directory}/root"
state = "${directory}/state"
[grpc]
  address = "${directory}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
${cri}`
}

/** A CNI plugin that attaches nothing: own network namespace and host name, the host's network untouched. */
export const CNI_PLUGIN = `#!/bin/sh
case "$CNI_COMMAND" in
ADD) printf '{"cniVersion":"0.4.0","interfaces":[{"name":"%s","sandbox":"%s"}],"ips":[{"version":"4","address":"10.88.0.5/24","interface":0}],"dns":{}}' "$CNI_IFNAME" "$CNI_NETNS" ;;
VERSION) printf '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}' ;;
esac
`

export const CNI_CONFIG =
  '{"cniVersion":"0.4.0","name":"none","plugins":[{"type":"attach-nothing"}]}'

/** Programs of a containerd release, and the PATH on which it finds its own shim first. */
export async function containerdPrograms(
  version: ContainerdVersion,
): Promise<{ containerd: string; ctr: string; path: string }> {
  const containerd = await findTool(TOOLS[version])
  const directory = dirname(containerd)
  // Debian's runc lies in sbin
  const path = `${directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
  return { containerd, ctr: join(directory, 'ctr'), path }
}
