import type { Value } from './read-values.ts'

/** Markdown table of every value, in the order of the file. */
export function buildTable(values: readonly Value[]): string {
  const rows = values.flatMap(leaves).map(({ path, description, defaultValue }) => {
    if (!description) throw new TypeError(`\`${path.join('.')}\` has no \`# --\` line`)
    const shown = JSON.stringify(defaultValue).replaceAll('|', String.raw`\|`)
    return `| \`${path.join('.')}\` | \`${shown}\` | ${description.replaceAll('|', String.raw`\|`)} |`
  })
  return ['| value | default | |', '|---|---|---|', ...rows].join('\n')
}

function leaves(value: Value): readonly Value[] {
  return value.children ? value.children.flatMap(leaves) : [value]
}
