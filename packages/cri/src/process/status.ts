import type { ProcessStatus } from './types.ts'

/** What a text of /proc/<pid>/status says; undefined when it lacks what every kernel writes. */
export function parseStatus(text: string): ProcessStatus | undefined {
  // the kernel escapes newlines in Name, so a line begins where it seems to
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const name = fields.get('Name')
  const uid = integers(fields.get('Uid'))[0]
  const gid = integers(fields.get('Gid'))[0]
  if (name === undefined || uid === undefined || gid === undefined) return undefined
  return {
    name,
    // of a thread NSpid is its own id; without pid namespaces in the kernel there is one view
    nspid: integers(fields.get('NStgid') ?? fields.get('NSpid') ?? fields.get('Pid')),
    uid,
    gid,
    coreDumping: fields.get('CoreDumping') === '1',
  }
}

function integers(field = ''): number[] {
  return field
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number)
}
