import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { HeapSaver } from './heap-saver.ts'

const MIB = 2 ** 20

it('collects garbage once 256 MiB more were drained', async () => {
  const saver = new HeapSaver(64 * MIB)
  const garbage = new WeakRef({ of: 'a block' })
  // an object that was just referenced lives until the end of the task
  await setImmediate()
  saver.update(319 * MIB)
  expect(garbage.deref()).toBeDefined()
  await setImmediate()
  saver.update(320 * MIB)
  expect(garbage.deref()).toBeUndefined()
})
