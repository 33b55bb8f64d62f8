import { afterEach, beforeEach, expect, vi } from 'vitest'

const METHODS = ['debug', 'error', 'info', 'log', 'warn'] as const

// libraries are silent: any stray console output fails the test that caused it
let stray: string[] = []

beforeEach(() => {
  stray = []
  for (const method of METHODS) {
    vi.spyOn(console, method).mockImplementation((...args) => void stray.push(args.join(' ')))
  }
})

afterEach(() => {
  expect(stray, 'console output in a test').toEqual([])
})
