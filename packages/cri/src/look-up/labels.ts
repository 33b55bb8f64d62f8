/** The labels that the kubelet puts on every container (k8s.io/cri-client, types/labels.go). */
export const LABEL = {
  container: 'io.kubernetes.container.name',
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
} as const
