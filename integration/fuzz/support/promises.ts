import { FORGED } from '../generate/text.ts'

/** Throws unless `holds`; lazily described, since it is checked often. */
export function promised(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Error(what())
}

// what ends a line, moves a cursor, or turns text around, for some reader or other
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** One line that a terminal, a log reader and a person take for what it is. */
export function assertOneLine(line: string, what: string): void {
  promised(!UNSAFE.test(line), () => `${what} holds control characters: ${JSON.stringify(line)}`)
  promised(line.isWellFormed(), () => `${what} is not well-formed: ${JSON.stringify(line)}`)
}

/** Lines in version 9's pattern; no name may forge one. */
export function assertLog(log: string): void {
  for (const line of log.split('\n').slice(0, -1)) {
    assertOneLine(line, 'a line of the log')
    const match = /^(ERROR|WARN|INFO|DEBUG|TRACE) - \d{4}-\d\d-\d\dT[\d:.]{12}Z - (.*)$/.exec(line)
    promised(match !== null, () => `a line of the log has another form: ${JSON.stringify(line)}`)
    promised(match[2]?.startsWith(FORGED) !== true, () => `a log line was forged: ${line}`)
  }
  promised(log === '' || log.endsWith('\n'), () => 'the log ends within a line')
}

/** JSON, or it throws and says of what. */
export function assertJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${what} is no JSON: ${JSON.stringify(text.slice(0, 500))}`, { cause })
  }
}
