import type { Value } from './read-values.ts'

/** Markdown tables of every value, in the order of the file; those without effect in a section of their own. */
export function buildTable(values: readonly Value[]): string {
  const all = values.flatMap(leaves)
  const compatibility = all.filter(({ isCompatibility }) => isCompatibility)
  return [
    table(all.filter((value) => !compatibility.includes(value))),
    '### Compatibility\n\nAccepted from older values files, without effect.',
    table(compatibility),
  ].join('\n\n')
}

function table(values: readonly Value[]): string {
  const rows = values.map(({ path, description, defaultValue }) => {
    if (!description) throw new TypeError(`\`${path.join('.')}\` has no \`# --\` line`)
    const shown = JSON.stringify(defaultValue).replaceAll('|', String.raw`\|`)
    return `| \`${path.join('.')}\` | \`${shown}\` | ${description.replaceAll('|', String.raw`\|`)} |`
  })
  return ['| value | default | |', '|---|---|---|', ...rows].join('\n')
}

/** The values that have no keys of their own. */
export function leaves(value: Value): readonly Value[] {
  return value.children ? value.children.flatMap(leaves) : [value]
}
