import { parseArgs } from 'node:util'
import { carryPipedCore } from './demo/piped-core.ts'
import { carryRealCrash } from './demo/real-crash.ts'
import { DemoError, say } from './demo/say.ts'
import { withScratch } from './demo/scratch.ts'
import { showObject } from './demo/show-object.ts'
import { whyNoPattern } from './demo/why-no-pattern.ts'

const USAGE = `Usage: npm run demo [-- --keep]

Crashes a program on this machine and follows its core to an object, as it happens on a node:
the agent takes over kernel.core_pattern, the kernel runs the composer, the agent carries the
bundle to a destination, here a directory. Then everything is put back as it was.
Without root the core is piped into the composer instead, and the rest is the same.

  --keep  leave the object where it is, and say where
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
      const hindrance = whyNoPattern()
      if (hindrance) say(`${hindrance}: piping a core into the composer instead`)
      const carry = hindrance ? carryPipedCore : carryRealCrash
      await showObject(await carry(scratch, interrupt.signal), keep)
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
