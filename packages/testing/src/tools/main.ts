import { parseArgs } from 'node:util'
import { findTool, isToolName, TOOL_NAMES } from './find-tool.ts'
import { isToolError } from './tool.ts'

const USAGE = `Usage: node packages/testing/src/tools/main.ts NAME...

Prints the path of each test tool: one on PATH, in the cache (CORE_DUMP_CACHE, default .cache) or
in a folder of ready-built files (CORE_DUMP_TOOLS), else one that is built with Go or downloaded.

Names: ${TOOL_NAMES.join(' ')}
`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
})
const known = positionals.filter(isToolName)
const unknown = positionals.filter((name) => !isToolName(name))

if (values.help) {
  process.stdout.write(USAGE)
} else if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(
    unknown.length > 0 ? `No such tool: ${unknown.join(', ')}\n\n${USAGE}` : USAGE,
  )
  process.exitCode = 2
} else {
  for (const name of known) {
    try {
      process.stdout.write(`${await findTool(name)}\n`)
    } catch (error) {
      process.stderr.write(`${isToolError(error) ? error.message : String(error)}\n`)
      process.exitCode = 1
    }
  }
}
