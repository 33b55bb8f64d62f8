/** `512MiB`, `5GiB` as mebibytes. */
export function mebibytes(option: string, size: string): number {
  const match = /^(\d+(?:\.\d+)?)(MiB|GiB)$/.exec(size)
  if (match !== null) return Number(match[1]) * (match[2] === 'GiB' ? 1024 : 1)
  throw new TypeError(`Expected ${option} to be like 512MiB or 5GiB, got ${size}`)
}

export function positiveInteger(option: string, value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number > 0) return number
  throw new TypeError(`Expected ${option} to be a positive integer, got ${value}`)
}

export function list(values: string): string[] {
  return values.split(',').filter((value) => value !== '')
}

/** `NAME=value` each, as variables. */
export function variables(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
      throw new TypeError(`Expected a setting to be like NAME=value, got ${text}`)
    }),
  )
}
