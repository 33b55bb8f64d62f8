import { readSettings, USAGE } from './settings.ts'
import { Trial } from './trial.ts'

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const args = process.argv.slice(2)
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(USAGE)
} else {
  process.exitCode = await main(args)
}

async function main(helmOptions: readonly string[]): Promise<number> {
  let trial: Trial
  try {
    trial = new Trial(readSettings(process.env))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
  // once more to end without cleaning up
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true
      say(`${signal}: giving the node back; wait for it`)
    })
  }
  let code = 1
  try {
    const node = await trial.chooseNode()
    say(`installing into namespace ${trial.name}, on node ${node}`)
    await trial.install(node, helmOptions)
    if (!interrupted) {
      say('installed and ready; a pod crashes')
      const key = await trial.crash(node)
      say(`its object: ${key}; pod, namespace and uid are right, the core is complete`)
      code = 0
    }
  } catch (error) {
    process.stderr.write(`${describe(error)}\n${await trial.describe()}\n`)
  }
  try {
    await trial.remove()
    say('uninstalled; namespace and objects are gone, empty directories stay on the node')
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`)
    code = 1
  }
  say(code === 0 ? 'passed' : 'failed')
  return code
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) {
    return [error.message, ...error.errors.map((each: unknown) => describe(each))].join('\n')
  }
  const cause = error instanceof Error && error.cause ? `\n${describe(error.cause)}` : ''
  return `${error instanceof Error ? error.message : String(error)}${cause}`
}
