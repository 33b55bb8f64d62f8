/** Where runtimes have their CRI socket, in the order tried. */
export const RUNTIME_SOCKETS: readonly string[] = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/var/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
  '/run/k0s/containerd.sock',
  '/var/snap/microk8s/common/run/containerd.sock',
  '/run/dockershim.sock',
  '/var/run/dockershim.sock',
  '/run/cri-dockerd.sock',
]
