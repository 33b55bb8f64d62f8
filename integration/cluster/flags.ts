import { join } from 'node:path'
import { SERVICE_RANGE } from './service-address.ts'

/** Where a cluster keeps its files, and the first of its eight ports. */
export interface Place {
  readonly directory: string
  readonly kubeconfig: string
  readonly port: number
}

export type Flags = Readonly<Record<string, string>>

/** Port of the API server is the first; the others follow in this order. */
const PORTS = { etcd: 1, peer: 2, kubelet: 3, controllers: 5, scheduler: 6 } as const

const local = (port: number): string => `http://127.0.0.1:${port}`

export function etcdFlags({ directory, port }: Place): Flags {
  const client = local(port + PORTS.etcd)
  const peer = local(port + PORTS.peer)
  return {
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
  }
}

export function apiServerFlags({ directory, port }: Place): Flags {
  const pki = join(directory, 'pki')
  return {
    'etcd-servers': local(port + PORTS.etcd),
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'advertise-address': '127.0.0.1',
    'tls-cert-file': join(pki, 'apiserver.crt'),
    'tls-private-key-file': join(pki, 'apiserver.key'),
    'token-auth-file': join(pki, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    'service-cluster-ip-range': SERVICE_RANGE,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': join(pki, 'sa.key'),
    'service-account-key-file': join(pki, 'sa.pub'),
    'endpoint-reconciler-type': 'none',
    'allow-privileged': 'true',
    'kubelet-preferred-address-types': 'Hostname',
  }
}

export function controllerFlags(place: Place): Flags {
  const pki = join(place.directory, 'pki')
  return {
    ...clientFlags(place),
    'service-account-private-key-file': join(pki, 'sa.key'),
    'root-ca-file': join(pki, 'ca.crt'),
    'use-service-account-credentials': 'false',
    'secure-port': String(place.port + PORTS.controllers),
    'cert-dir': join(pki, 'controllers'),
  }
}

export function schedulerFlags(place: Place): Flags {
  return {
    ...clientFlags(place),
    'secure-port': String(place.port + PORTS.scheduler),
    'cert-dir': join(place.directory, 'pki/scheduler'),
  }
}

export function kubeletFlags({ directory, kubeconfig }: Place, config: string): Flags {
  return {
    kubeconfig,
    config,
    'root-dir': join(directory, 'kubelet'),
    'cert-dir': join(directory, 'pki/kubelet'),
    'hostname-override': 'localhost',
  }
}

/** First of the two ports that the kubelet's configuration names. */
export function kubeletPort({ port }: Place): number {
  return port + PORTS.kubelet
}

function clientFlags({ kubeconfig }: Place): Flags {
  return { kubeconfig, 'leader-elect': 'false', 'bind-address': '127.0.0.1' }
}
