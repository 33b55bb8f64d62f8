import { readFileSync } from 'node:fs'
import { safeName } from '@core-dump-handler/bundle'
import { errorMessage } from '../text.ts'
import type { Warnings } from '../warnings.ts'

/** What a file name can be made of: the eleven fields of v9, then ours. */
export interface NameFields {
  readonly limit_size: string
  readonly exe_name: string
  readonly pid: string
  readonly signal: string
  readonly timestamp: string
  readonly directory: string
  readonly hostname: string
  readonly pathname: string
  readonly namespace: string
  readonly podname: string
  readonly uuid: string
  readonly podUid: string
  readonly container: string
  readonly containerId: string
  readonly nodeHostname: string
  readonly signalName: string
  readonly hostPid: string
  readonly uid: string
  readonly gid: string
}

// these are known only when the runtime has answered
const RUNTIME_FIELDS = /\{\s*(namespace|podname|podUid|container|containerId)\b/

/** Whether the name cannot be made before the runtime has answered. */
export function needsLookup(template: string): boolean {
  return RUNTIME_FIELDS.test(template)
}

/** The bundle's name without `.zip`; of a template that is not valid the uuid. */
export function bundleName(template: string, fields: NameFields, warnings: Warnings): string {
  try {
    const name = safeName(renderTemplate(template, fields))
    if (name !== '') return name
    warnings.add(
      'BAD_TEMPLATE',
      `The file name template \`${template}\` gave no name; took the uuid`,
    )
  } catch (error) {
    warnings.add('BAD_TEMPLATE', `${errorMessage(error)}; took the uuid`)
  }
  return fields.uuid
}

/**
 * Plain substitution in TinyTemplate's syntax: `{field}`, `\{` for a brace; no HTML escapes.
 * Throws TypeError naming the field or brace that is not valid.
 */
function renderTemplate(template: string, fields: NameFields): string {
  const values = new Map<string, string>(Object.entries(fields))
  const pattern = /\\([{}\\])|\{\s*([A-Za-z_]+)\s*(?:\|\s*unescaped\s*)?\}|\{/g
  return template.replace(pattern, (found, escaped?: string, field?: string) => {
    if (escaped !== undefined) return escaped
    const value = values.get(field ?? '')
    if (value !== undefined) return value
    throw new TypeError(
      field === undefined
        ? `\`{\` in the file name template \`${template}\` opens no field; write \`\\{\` for a brace`
        : `\`${found}\` in the file name template is no field; the fields are ${[...values.keys()].join(', ')}`,
    )
  })
}

/** A random UUID from the kernel, random(4): node:crypto takes milliseconds to load. */
export async function randomUuid(): Promise<string> {
  try {
    return readFileSync('/proc/sys/kernel/random/uuid', 'latin1').trim()
  } catch {
    return (await import('node:crypto')).randomUUID()
  }
}
