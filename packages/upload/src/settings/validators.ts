import * as v from 'valibot'

// what a variable accepts, with a description for documents

export function matching(accepts: string, pattern: RegExp) {
  return v.pipe(v.string(), v.regex(pattern, `expected ${accepts}`), v.description(accepts))
}

export function oneOf<const T extends string>(...values: T[]) {
  const accepts = `one of ${values.join(', ')}`
  return v.pipe(
    v.string(),
    v.toLowerCase(),
    v.picklist(values, `expected ${accepts}`),
    v.description(accepts),
  )
}

export const bool = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false'], 'expected `true` or `false`'),
  v.transform((value) => value === 'true'),
  v.description('`true` or `false`'),
)

export function integer(min: number, max: number, unit = '') {
  const accepts = `a whole number${unit} from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, `expected ${accepts}`),
    v.transform(Number),
    v.minValue(min, `expected ${accepts}`),
    v.maxValue(max, `expected ${accepts}`),
    v.description(accepts),
  )
}

export const path = v.pipe(
  matching('an absolute path', /^\/\P{Cc}*$/u),
  v.transform((value) => value.replace(/(?<=.)\/+$/, '')),
  v.description('an absolute path'),
)
export const text = matching('one line of text', /^\P{Cc}*$/u)

export const url = (accepts: string, pattern: RegExp) =>
  v.pipe(
    matching(accepts, pattern),
    v.regex(/^[^@]*$|^[^/]*\/\/[^/@]*\/.*$/, 'expected no user and password in the URL'),
    v.description(accepts),
  )
