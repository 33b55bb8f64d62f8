const LEVELS = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  off: 'silent',
  silent: 'silent',
} as const

export type Level = (typeof LEVELS)[keyof typeof LEVELS]

/**
 * `LOG_LEVEL`, else what version 9's `RUST_LOG` says of the agent: `debug`, or the last of
 * `warn,core_dump_agent=debug` that concerns it. Anything else means `info`.
 */
export function logLevel(env: Readonly<NodeJS.ProcessEnv>): Level {
  const own = toLevel(env['LOG_LEVEL'])
  if (own !== undefined) return own

  const directives = (env['RUST_LOG'] ?? '').split('/', 1)[0]?.split(',') ?? []
  const parts = directives.map((directive) => directive.trim().split('='))
  const agent = parts.findLast(([target]) => target === 'core_dump_agent')
  const all = parts.findLast(([target, level]) => level === undefined && toLevel(target))
  return (agent && toLevel(agent[1] ?? 'trace')) ?? toLevel(all?.[0]) ?? 'info'
}

function toLevel(text: string | undefined): Level | undefined {
  const name = text?.trim().toLowerCase() ?? ''
  return Object.hasOwn(LEVELS, name) ? LEVELS[name as keyof typeof LEVELS] : undefined
}
