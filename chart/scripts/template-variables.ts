import { readFileSync } from 'node:fs'

/** A variable of the agent's container and the values it is made of. */
export interface TemplateVariable {
  readonly name: string
  /** Paths in dots; empty: the chart sets it. */
  readonly values: readonly string[]
}

/** An action of a template; a `{{` in quotes does not end it. */
const ACTION = /\{\{-?\s*((?:"[^"]*"|[^"])*?)\s*-?\}\}/g

const template = (name: string): string =>
  readFileSync(new URL(`../templates/${name}`, import.meta.url), 'utf8')

/** Reads the variables out of `templates/_env.tpl`, in its order. */
export function templateVariables(): TemplateVariable[] {
  const helpers = new Map(
    [...template('_values.tpl').matchAll(/define "([\w.]+)" -\}\}([\s\S]*?)\{\{- end -\}\}/g)].map(
      ([, name = '', body = '']) => [name, body],
    ),
  )
  const found: TemplateVariable[] = []
  const blocks: string[] = []
  for (const [, action = ''] of template('_env.tpl').matchAll(ACTION)) {
    const [, name, expression = ''] =
      /include "cdh\.env\w*" \(list "(\w+)" (.*)\)$/.exec(action) ?? []
    if (name !== undefined) {
      const own = references(expression, blocks, helpers)
      const condition = blocks.findLast((block) => block.startsWith('if ')) ?? ''
      const paths = own.length > 0 ? own : references(condition, blocks, helpers)
      found.push({ name, values: paths.map((path) => path.slice('.Values.'.length)) })
    }
    if (/^(if|with|range|define) /.test(action)) blocks.push(action)
    else if (action === 'end') blocks.pop()
  }
  return found
}

/** Paths of values in an expression, where `.key` belongs to the `with` around it. */
function references(
  expression: string,
  blocks: readonly string[],
  helpers: ReadonlyMap<string, string>,
): string[] {
  const scopes = blocks.flatMap((block) => /^with (\S+)$/.exec(block)?.[1] ?? [])
  const scope = scopes.reduce(
    (outer, inner) => (inner.startsWith('.Values.') ? inner : `${outer}${inner}`),
    '',
  )
  const paths = [...expression.matchAll(/(?<![\w$)"])\.[\w.]*/g)].map(([path]) => {
    if (path.startsWith('.Values.')) return path
    return path === '.' ? scope : `${scope}${path}`
  })
  const included = [...expression.matchAll(/include "([\w.]+)"/g)].flatMap(([, name = '']) =>
    references(helpers.get(name) ?? '', [], helpers),
  )
  return [...new Set([...included, ...paths].filter((path) => path.startsWith('.Values.')))]
}
