import { bundleObjects, findObject } from '../bundle/list-bundles.ts'
import { verifyBundle, type Verification } from '../bundle/verify-bundle.ts'
import { CliError, EXIT } from '../error.ts'
import { escapeName, type Output } from '../output/output.ts'
import { formatBytes, Progress } from '../output/format.ts'
import { ID_HELP, LOCATION_HELP, withStore, type Command } from './command.ts'

/** `cdh verify`: reads every byte of a stored bundle. */
export const verify: Command = {
  usage: `Usage: cdh verify ID|--all [LOCATION] [options]

${ID_HELP}

Reads the bundle from the store, without keeping it, and compares CRC-32 and sizes
of every entry with the zip, and the core with the manifest.

  --all               every bundle of the location
  --json              [{"key": …, "state": "intact|incomplete|damaged", …}]

Ends with 0 when all are intact, ${EXIT.damaged} when one is damaged, ${EXIT.incomplete} when every byte is as it
was written but the core of one is cut, absent, or not known to be whole.

${LOCATION_HELP}
`,
  options: { all: { type: 'boolean' } },
  run(context) {
    const { args, output } = context
    const id = args.flag('all') ? undefined : args.name('ID, or --all')
    if (id === undefined) args.noNames()
    return withStore(context, async (store) => {
      const results: Verification[] = []
      const objects = id === undefined ? bundleObjects(store) : [await findObject(store, id)]
      for await (const object of objects) {
        const progress = new Progress(output.stderr, escapeName(object.key), object.bytes)
        let result: Verification
        try {
          result = await verifyBundle(store, object, (bytes) => progress.add(bytes))
        } catch (error) {
          // one of many that was deleted since it was listed is no bundle of the location
          if (id === undefined && error instanceof CliError && error.code === 'NOT_FOUND') continue
          throw error
        } finally {
          progress.end()
        }
        results.push(result)
        if (!args.flag('json')) print(output, result)
      }
      if (args.flag('json')) output.json(results)
      else if (results.length === 0) output.note('No bundle matches.')
      return exitCode(results)
    })
  },
}

function print(output: Output, { key, id, state, problems, entries, bytes }: Verification): void {
  const style = state === 'intact' ? 'green' : state === 'damaged' ? 'red' : 'yellow'
  const amount = `${entries} entries, ${formatBytes(bytes)}`
  output.print(`${output.style(style, state.padEnd(10))}  ${escapeName(id ?? key)}  ${amount}`)
  for (const problem of problems) output.print(`            ${escapeName(problem)}`)
}

function exitCode(results: readonly Verification[]): number {
  const has = (state: Verification['state']): boolean =>
    results.some((result) => result.state === state)
  if (has('damaged')) return EXIT.damaged
  return has('incomplete') ? EXIT.incomplete : EXIT.ok
}
