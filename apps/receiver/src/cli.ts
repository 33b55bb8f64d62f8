#!/usr/bin/env node
import process from 'node:process'

const [command, ...operands] = process.argv.slice(2)

switch (command) {
  case undefined: {
    const { main } = await import('./main.ts')
    const exitCode = await main(process.env, new URL(import.meta.url))
    // `process.exit` waits for a thread in a read that never returns; no process is held by now
    if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) {
      process.kill(process.pid, 'SIGKILL')
    }
    process.exit(exitCode)
    break
  }
  // children and threads of the receiver
  case 'helper':
    process.exitCode = await (
      await import('./helper/run-helper.ts')
    ).runHelper(operands[0] === 'reports' ? 'reports' : 'lookups')
    break
  case 'watchdog':
    ;(await import('./watchdog/run-watchdog.ts')).runWatchdog(Number(operands[0]))
    break
  case 'check':
    process.exitCode = await (await import('./link/check.ts')).check(process.env)
    break
  default:
    process.stderr.write(
      'Usage: core-dump-receiver [check]; its settings are variables, see the README\n',
    )
    process.exitCode = 2
}
