import { isObject, type JsonObject, type JsonValue, objectAt } from '../json.ts'

/** Replaces the value of an environment variable. */
export const REMOVED = '<removed>'

const ENVIRONMENT = /^(env|envs|environ|environment)$/i
// no answer of a runtime is deeper; an annotation can be, on purpose
const MAX_DEPTH = 64

/**
 * `object` without the values of environment variables, wherever they are: `runtimeSpec.process.env`
 * (`NAME=value`), `config.envs` (`{ key, value }`), an image's `Env`, hooks; also inside strings that
 * hold JSON themselves, such as the annotation `kubectl.kubernetes.io/last-applied-configuration`.
 * The names stay.
 */
export function withoutEnvironment(object: JsonObject): JsonObject {
  return objectAt(withoutEnvironmentValues(object))
}

function withoutEnvironmentValues(value: JsonValue, depth = 0): JsonValue {
  if (depth > MAX_DEPTH) return REMOVED
  if (typeof value === 'string') return textWithout(value, depth)
  if (Array.isArray(value)) {
    return value.map((item: JsonValue) => withoutEnvironmentValues(item, depth + 1))
  }
  if (!isObject(value)) return value
  // fromEntries, because an assignment to the key `__proto__` would set the prototype
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      ENVIRONMENT.test(key) ? namesOnly(item) : withoutEnvironmentValues(item, depth + 1),
    ]),
  )
}

function namesOnly(environment: JsonValue): JsonValue {
  if (Array.isArray(environment)) return environment.map((entry: JsonValue) => nameOnly(entry))
  if (!isObject(environment)) return environment === null ? null : REMOVED
  return Object.fromEntries(Object.keys(environment).map((name) => [name, REMOVED]))
}

function nameOnly(entry: JsonValue): JsonValue {
  if (typeof entry === 'string') return `${entry.split('=', 1)[0] ?? ''}=${REMOVED}`
  if (!isObject(entry)) return REMOVED
  // only known keys are kept: a key added later could hold a value
  const names = Object.entries(entry).filter(([key]) => /^(key|name)$/i.test(key))
  return { ...Object.fromEntries(names), value: REMOVED }
}

function textWithout(text: string, depth: number): string {
  if (!/^\s*[[{]/.test(text) || !/env/i.test(text)) return text
  const inner = parsed(text)
  // cut or damaged: values cannot be removed from what cannot be parsed
  if (inner === undefined) return REMOVED
  try {
    const without = JSON.stringify(withoutEnvironmentValues(inner, depth + 1))
    // text without an environment keeps its formatting
    return without === JSON.stringify(inner) ? text : without
  } catch {
    // nested too deep for JSON.stringify
    return REMOVED
  }
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
