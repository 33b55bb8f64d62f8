import { messageOf } from '../log/message-of.ts'
import type { Problems } from '../log/problems.ts'
import { safeName } from '@core-dump-handler/bundle'
import { type NameFields, renderTemplate } from './template.ts'

/** The bundle's name without `.zip`; a template that cannot be used costs only itself. */
export function bundleName(template: string, fields: NameFields, problems: Problems): string {
  try {
    const name = safeName(renderTemplate(template, fields))
    if (name !== '') return name
    problems.add(
      'BAD_TEMPLATE',
      `The file name template \`${template}\` gave no name; took the uuid`,
    )
  } catch (error) {
    problems.add('BAD_TEMPLATE', `${messageOf(error)}; took the uuid`)
  }
  return fields.uuid
}
