/** A kubeconfig with full rights on the API server at `url`. */
export function kubeconfig(url: string, caFile: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  })
}

/** A kubelet that works as root in a virtual machine with cgroup v1 and keeps below `directory`. */
export function kubeletConfiguration(
  directory: string,
  manifests: string,
  socket: string,
  firstPort: number,
): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${socket}`,
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    protectKernelDefaults: false,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    address: '127.0.0.1',
    port: firstPort,
    readOnlyPort: 0,
    healthzPort: firstPort + 1,
    healthzBindAddress: '127.0.0.1',
    staticPodPath: manifests,
    fileCheckFrequency: '1s',
    volumePluginDir: `${directory}/volume-plugins`,
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageMaximumGCAge: '0s',
    enforceNodeAllocatable: [],
    // without CAP_SYS_RESOURCE it cannot be lowered
    oomScoreAdj: 0,
    maxOpenFiles: 20_000,
    resolvConf: '',
    nodeStatusUpdateFrequency: '1s',
  })
}
