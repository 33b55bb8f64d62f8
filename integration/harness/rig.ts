import { afterAll, beforeAll } from 'vitest'
import { Containerd } from './containerd.ts'
import type { ObjectStore } from './object-store.ts'
import { startVersitygw } from './versitygw.ts'

export interface Rig {
  store: ObjectStore
  containerd: Containerd
}

/** A store and the newest containerd, shared by the tests of a group. */
export function sharedRig(): Rig {
  const rig = {} as Rig
  beforeAll(async () => {
    rig.store = await startVersitygw()
    rig.containerd = new Containerd('2')
    await rig.containerd.start()
  })
  afterAll(async () => {
    await rig.containerd.stop()
    await rig.store.stop()
  })
  return rig
}
