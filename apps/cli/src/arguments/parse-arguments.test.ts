import { describe, expect, it } from 'vitest'
import { parseArguments, parseSince } from './parse-arguments.ts'

const NOW = new Date('2026-11-30T12:00:00Z')

describe('parseSince', () => {
  it.for([
    ['90m', '2026-11-30T10:30:00.000Z'],
    ['1d', '2026-11-29T12:00:00.000Z'],
    ['2w', '2026-11-16T12:00:00.000Z'],
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
    ['2026-11-01T10:00:00+02:00', '2026-11-01T08:00:00.000Z'],
  ] as const)('reads %s', ([text, expected]) => {
    expect(parseSince(text, NOW).toISOString()).toBe(expected)
  })

  it.for(['', '5', 'x', '1y', '-1d', 'yesterday', '2026-13-45'])('rejects %j', (text) => {
    expect(() => parseSince(text, NOW)).toThrow(/is no time: expected such as/)
  })
})

describe('parseArguments', () => {
  it('keeps the location apart from names, and what follows -- for the debugger', () => {
    const args = parseArguments(['7f', 's3://b/p', '--json', '--', '-batch', '--json'], {})
    expect(args.names).toEqual(['7f'])
    expect(args.location).toBe('s3://b/p')
    expect(args.rest).toEqual(['-batch', '--json'])
    expect(args.flag('json')).toBe(true)
  })

  it('rejects an option that the command does not have', () => {
    expect(() => parseArguments(['--since', '1d'], {})).toThrow(/--since/)
  })
})
