import { parseArgs } from 'node:util'
import { followPipedCore } from './demo/piped-core.ts'
import { followRealCrash, whyNoRealCrash } from './demo/real-crash.ts'
import { DemoError, say } from './demo/say.ts'
import { withScratch } from './demo/scratch.ts'
import { showObject } from './demo/show-object.ts'

const USAGE = `Usage: npm run demo [-- --keep]

Crashes a program on this machine and follows its core to an object, as on a node: the agent sets
kernel.core_pattern, the kernel runs the composer, the agent uploads the bundle to a destination,
here a directory. Then the kernel's settings are restored and the files removed.
Without root the core is piped into the composer instead.

  --keep  keep the object, and print its path
`

const { values } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
})

if (values.help) process.stdout.write(USAGE)
else process.exitCode = await demo(values.keep)

async function demo(keep: boolean): Promise<number> {
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupt.abort(signal))
  }
  try {
    await withScratch(keep, async (scratch) => {
      const reason = whyNoRealCrash()
      if (reason) say(`${reason}: piping a core into the composer instead`)
      const follow = reason ? followPipedCore : followRealCrash
      await showObject(await follow(scratch, interrupt.signal), keep)
    })
    return 0
  } catch (error) {
    if (interrupt.signal.aborted) {
      say(`${String(interrupt.signal.reason)}: stopped, everything is as it was before`)
      return 130
    }
    if (!(error instanceof DemoError)) throw error
    say(error.message)
    return 1
  }
}
