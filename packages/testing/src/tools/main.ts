import { parseArgs } from 'node:util'
import { TOOL_NAMES, findTool, type ToolName } from './find-tool.ts'
import { isToolError } from './tool.ts'

const USAGE = `Usage: node packages/testing/src/tools/main.ts NAME...

Prints the path of each test tool, after making it if it is not there: from PATH, the cache
(CORE_DUMP_CACHE, default .cache), a folder of ready-built files (CORE_DUMP_TOOLS), else built
with Go or downloaded.

Names: ${TOOL_NAMES.join(' ')}
`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
})
const unknown = positionals.filter((name) => !(TOOL_NAMES as readonly string[]).includes(name))

if (values.help) {
  process.stdout.write(USAGE)
} else if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(
    unknown.length > 0 ? `No such tool: ${unknown.join(', ')}\n\n${USAGE}` : USAGE,
  )
  process.exitCode = 2
} else {
  for (const name of positionals) {
    try {
      process.stdout.write(`${await findTool(name as ToolName)}\n`)
    } catch (error) {
      process.stderr.write(`${isToolError(error) ? error.message : String(error)}\n`)
      process.exitCode = 1
    }
  }
}
