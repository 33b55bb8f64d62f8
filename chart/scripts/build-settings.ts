import { settingsField } from './settings-fields.ts'
import { templateVariables } from './template-variables.ts'

/** Markdown table: chart value, variable of the agent, field of the typed settings. */
export function buildSettings(): string {
  const rows = templateVariables().map(({ name, values }) => {
    const value = values.map((path) => `\`${path}\``).join(', ') || 'set by the chart'
    const field = settingsField(name)
    return `| ${value} | \`${name}\` | ${field === undefined ? '' : `\`${field}\``} |`
  })
  return ['| chart value | variable | field |', '|---|---|---|', ...rows].join('\n')
}
