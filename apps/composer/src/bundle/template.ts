/** What a file name can be made of: version 9's eleven fields, then ours. */
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
const ASKED = /\{\s*(namespace|podname|podUid|container|containerId)\b/

/** Whether the name cannot be made before the look-up is done. */
export function needsLookup(template: string): boolean {
  return ASKED.test(template)
}

/**
 * Plain substitution in TinyTemplate's syntax: `{field}`, `\{` for a brace; no HTML escapes.
 *
 * @throws TypeError naming the field or brace that cannot be used
 */
export function renderTemplate(template: string, fields: NameFields): string {
  const pattern = /\\([{}\\])|\{\s*([A-Za-z_]+)\s*(?:\|\s*unescaped\s*)?\}|\{/g
  return template.replace(pattern, (found, escaped?: string, field?: string) => {
    if (escaped !== undefined) return escaped
    if (field !== undefined && Object.hasOwn(fields, field))
      return fields[field as keyof NameFields]
    throw new TypeError(
      field === undefined
        ? `\`{\` in the file name template \`${template}\` opens no field; write \`\\{\` for a brace`
        : `\`${found}\` in the file name template is no field; the fields are ${Object.keys(fields).join(', ')}`,
    )
  })
}
