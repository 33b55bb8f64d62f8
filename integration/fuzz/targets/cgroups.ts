import { type CgroupLayer, cgroupLayers, podUid } from '@core-dump-handler/cri'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

export const cgroups: Target = {
  name: 'cgroups',
  what: 'cgroup paths, below which a process makes cgroups of its own',
  begin() {
    return {
      async round(random) {
        const own = pathOf(random, 6)
        const path = random.once(3) ? mutate(random, Buffer.from(own)).toString() : own
        const line = path.split('\n')[0] ?? ''
        const [layers = []] = cgroupLayers(line)
        for (const layer of layers) assertLayer(layer, line)

        // what the process adds below cannot change what is outside
        const below = `${line}/${pathOf(random, 4)}`
        const [deeper = []] = cgroupLayers(below)
        const describe = (): string =>
          `${JSON.stringify(layers)} became ${JSON.stringify(deeper)} by ${below}`
        // a pod at the end may get a container
        const outer = layers.at(-1)?.containerId === undefined ? layers.slice(0, -1) : layers
        const isDeleted = line.endsWith(' (deleted)')
        promised(isDeleted || isSame(outer, deeper.slice(0, outer.length)), describe)
        const [first] = layers
        const same = podUid(line) === podUid(below)
        promised(isDeleted || first?.podUid === undefined || same, describe)
      },
    }
  },
}

function assertLayer({ podUid: uid, containerId, path }: CgroupLayer, line: string): void {
  const describe = (): string => `a layer with ${uid}, ${containerId} at ${path} of ${line}`
  promised(uid !== undefined || containerId !== undefined, describe)
  promised(
    uid === undefined || /^[0-9a-f]{32}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uid),
    describe,
  )
  promised(containerId === undefined || /^[0-9a-f]{64}$/.test(containerId), describe)
  promised(line.includes(path), describe)
  promised(containerId === undefined || path.includes(containerId), describe)
}

function isSame(outer: readonly CgroupLayer[], deeper: readonly CgroupLayer[]): boolean {
  return JSON.stringify(outer) === JSON.stringify(deeper)
}

function pathOf(random: Random, depth: number): string {
  const id = (): string => random.bytes(32).toString('hex')
  const dashes = `${random.bytes(4).toString('hex')}-1111-4222-8333-444455556666`
  const uid = random.pick([dashes, random.bytes(16).toString('hex'), dashes.toUpperCase()])
  const names = [
    () => `kubepods-besteffort-pod${uid.replaceAll('-', '_')}.slice`,
    () => `pod${uid}`,
    () => `pod${uid}-${id()}`,
    () => `cri-containerd-${id()}.scope`,
    () => `kubepods-pod${uid}.slice:cri-containerd:${id()}`,
    () => `crio-conmon-${id()}.scope`,
    () => `docker-${id()}.scope`,
    () => `kata_${id()}`,
    () => `${id()}${random.once(2) ? '0' : ''}`,
    () => text(random).replaceAll(/[\n/]/g, ''),
    () => 'kubepods',
  ]
  const prefix = random.pick(['', '0::/', '4:memory:/', '1:name=systemd:/', '/'])
  return `${prefix}${random.times(random.below(depth), () => random.pick(names)()).join('/')}`
}
