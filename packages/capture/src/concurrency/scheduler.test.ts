import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { monotonicMs } from '../timing.ts'
import { Scheduler, type Stage, type Ticket } from './scheduler.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['hrtime'] }))
afterEach(() => void vi.useRealTimers())

/** A scheduler and the turns it gave, such as `a1 draining`. */
function scheduler(limit: number) {
  const turns: string[] = []
  const real = new Scheduler(limit)
  const tickets = new Map<string, Ticket>()
  let arrived = 0
  return {
    turns,
    /** `a1` is the first crash of the pod `a`. */
    arrive: (...names: string[]): void => {
      for (const name of names) {
        const onTurn = (stage: Stage): void => void turns.push(`${name} ${stage}`)
        const arrivedMs = monotonicMs() + arrived++
        const ticket: Ticket = { scope: name.slice(0, 1), arrivedMs, stage: 'queued', onTurn }
        tickets.set(name, ticket)
        real.add(ticket)
      }
      real.settle()
    },
    drained: (...names: string[]): void => {
      for (const name of names) {
        const ticket = tickets.get(name)
        if (ticket !== undefined) real.move(ticket, 'drained')
      }
      real.settle()
    },
    leave: (name: string): void => {
      const ticket = tickets.get(name)
      if (ticket !== undefined) real.remove(ticket)
      real.settle()
    },
    pass: (ms: number): void => {
      vi.advanceTimersByTime(ms)
      real.settle()
    },
    draining: () =>
      turns.filter((turn) => turn.endsWith('draining')).map((turn) => turn.slice(0, 2)),
  }
}

const names = (scope: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${scope}${index}`)

describe('Scheduler', () => {
  it('serves one scope in the order of arrival, and metadata beside the drains', () => {
    const { arrive, drained, leave, turns } = scheduler(1)
    arrive('a1', 'a2', 'a3')
    drained('a1')
    expect(turns).toEqual(['a1 draining', 'a2 draining', 'a1 writing'])
    drained('a2')
    expect(turns.slice(3)).toEqual(['a3 draining'])
    leave('a1')
    expect(turns.slice(4)).toEqual(['a2 writing'])
  })

  it('C3: gives the next free slot to another pod, however many crashes of the first are waiting', () => {
    const { arrive, drained, draining } = scheduler(2)
    arrive('a1', 'a2', 'a3', 'a4', 'a5')
    arrive('b1')
    expect(draining()).toEqual(['a1', 'a2'])
    drained('a1')
    expect(draining()).toEqual(['a1', 'a2', 'b1'])
    drained('b1', 'a2')
    expect(draining()).toEqual(['a1', 'a2', 'b1', 'a3', 'a4'])
  })

  it('C3: stops counting a drain that has taken more than 2 s', () => {
    const { arrive, pass, draining } = scheduler(2)
    arrive('a1', 'a2')
    arrive('b1')
    pass(1900)
    expect(draining()).toEqual(['a1', 'a2'])
    pass(200)
    expect(draining()).toEqual(['a1', 'a2', 'b1'])
  })

  it('C3: bounds the drains of one pod by the limit, and those of all by four times as many', () => {
    const { arrive, pass, draining } = scheduler(2)
    for (const scope of ['a', 'b', 'c', 'd', 'e']) {
      arrive(...names(scope, 9))
      for (let i = 0; i < 3; i++) pass(2100)
    }
    const perScope = ['a', 'b', 'c', 'd', 'e'].map(
      (scope) => draining().filter((name) => name.startsWith(scope)).length,
    )
    expect(perScope).toEqual([2, 2, 2, 2, 0])
  })

  it('holds a crash for the memory of those that have drained, but for 5 s at most', () => {
    const { arrive, drained, pass, draining } = scheduler(1)
    arrive(...names('a', 10))
    for (let i = 0; i < 8; i++) drained(draining().at(-1) ?? '')
    expect(draining()).toHaveLength(8)
    pass(5100)
    expect(draining()).toHaveLength(9)
  })

  it('C3: does not hold the first crash of a pod for the memory that crashes of another take', () => {
    const { arrive, drained, draining } = scheduler(1)
    arrive(...names('a', 9))
    arrive(...names('d', 9))
    for (let i = 0; i < 16; i++) drained(draining().at(-1) ?? '')
    arrive('b1')
    expect(draining().at(-1)).toBe('b1')
  })
})

describe('the load of a scheduler', () => {
  it('is low up to its limit, high up to four times as many captures, then a storm', () => {
    const loads = Array.from({ length: 10 }, (_, index) => {
      const real = new Scheduler(2)
      for (let n = 0; n <= index; n++) {
        real.add({ scope: 'a', arrivedMs: n, stage: 'queued', onTurn: () => {} })
      }
      return real.load
    })
    const high = Array.from({ length: 6 }, () => 'high')
    expect(loads).toEqual(['low', 'low', ...high, 'storm', 'storm'])
  })
})

describe('Scheduler with a limit for writers', () => {
  it('lets fewer write while others hold a process and wait', () => {
    const turns: string[] = []
    const ticket = (name: string, stage: Stage): Ticket => ({
      scope: 'pod',
      arrivedMs: 0,
      stage,
      onTurn: (reached) => turns.push(`${name} ${reached}`),
    })
    const limited = new Scheduler(2, { writersWhileQueued: 1 })
    const draining = [ticket('a', 'draining'), ticket('b', 'draining')]
    const waiting = [ticket('c', 'drained'), ticket('d', 'drained')]
    const queued = ticket('e', 'queued')
    for (const one of [...draining, ...waiting, queued]) limited.add(one)
    limited.settle()
    expect(turns).toEqual(['c writing'])
    limited.remove(queued)
    limited.settle()
    expect(turns).toEqual(['c writing', 'd writing'])
  })
})
