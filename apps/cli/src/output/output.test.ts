import { describe, expect, it } from 'vitest'
import { escapeName, escapeText } from './output.ts'

describe('escapeName', () => {
  it('leaves no character that moves a cursor, ends a line or turns the text around', () => {
    expect(escapeName('a\u001b[2J\r\n\u202eb\u2028\u009bc')).toBe(
      'a\\x1b[2J\\x0d\\x0a\\u{202e}b\\u{2028}\\x9bc',
    )
  })

  it('leaves letters of all scripts', () => {
    expect(escapeName('größe 結果 🙂')).toBe('größe 結果 🙂')
  })
})

describe('escapeText', () => {
  it('keeps lines and tabs', () => {
    expect(escapeText('a\tb\nc\u001b]0;x\u0007')).toBe('a\tb\nc\\x1b]0;x\\x07')
  })
})
