import { describe, expect, it } from 'vitest'
import { demangle } from './demangle.ts'

describe('demangle', () => {
  it.for([
    ['_ZN4shop7priceOfEPNS_5OrderE+0x12', 'shop::priceOf(shop::Order*)+0x12'],
    ['_ZSt9terminatev', 'std::terminate()'],
    ['_ZN4core9panicking9panic_fmt17h0123456789abcdefE', 'core::panicking::panic_fmt'],
    ['_RNvCs1234_7mycrate3foo', 'mycrate::foo'],
    ['#1  _Z3foov  a.out+0x1', '#1  foo()  a.out+0x1'],
  ] as const)('reads %s', async ([mangled, expected]) => {
    expect(await demangle(mangled)).toBe(expected)
  })

  it.for(['main', '__cxa_throw', '_Zfoo', '_ZN', '_R', `_Z${'N'.repeat(5000)}`])(
    'leaves %s',
    async (name) => {
      expect(await demangle(name)).toBe(name)
    },
  )
})
