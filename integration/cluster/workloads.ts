import { CRASHER_IMAGE } from '@core-dump-handler/testing/containerd/containerd'

// each bundle is looked at by other readers, which takes longer than to write it
const PAUSE_US = 100_000

interface Container {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: 'Never'
  readonly args?: readonly string[]
  readonly command?: readonly string[]
}

/** A container that crashes once, after `waitMs`. */
export function crashing(name: string, waitMs = 300): Container {
  return { ...container(name), args: ['-m', '4', '-w', String(waitMs)] }
}

/** A container that lives on. */
export function idle(name: string): Container {
  return { ...container(name), args: ['-w', '3600000'] }
}

/** A container whose children crash one after the other; each line it prints is a crash that is over. */
export function looping(name: string): Container {
  const crash = '/bin/crasher -m 1 >/dev/null 2>&1'
  const loop = `n=0; while :; do ${crash}; n=$((n+1)); echo $n; busybox usleep ${PAUSE_US}; done`
  return { ...container(name), command: ['/bin/sh', '-c', `exec 2>/dev/null; ${loop}`] }
}

/** One that is not started again, unless `spec` says so. */
export function podOf(name: string, spec: object, namespace = 'default'): object {
  const metadata = { name, namespace }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { restartPolicy: 'Never', ...spec } }
}

export function deployment(name: string, only: Container): object {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [only] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template },
  }
}

function container(name: string): Container {
  return { name, image: CRASHER_IMAGE, imagePullPolicy: 'Never' }
}
