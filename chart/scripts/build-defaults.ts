import { kindOf } from './kind-of.ts'
import type { Value } from './read-values.ts'

/** What the template `cdh.normalise` goes by: for each value its default and its kind; groups have `keys`. */
export function buildDefaults(values: readonly Value[]): object {
  return Object.fromEntries(
    values.map((value) => {
      const { path, children, defaultValue } = value
      const kind = kindOf(value)
      const leaf = { default: defaultValue, ...(kind && { kind }) }
      return [path.at(-1), children ? { keys: buildDefaults(children) } : leaf]
    }),
  )
}
