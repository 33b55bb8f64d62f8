#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import process from 'node:process'

const USAGE = `Usage: core-dump-receiver [command]

Takes all crashes of this node on the kernel's coredump socket until SIGTERM.
Needs root, and an agent that sets the pattern (RECEIVER_MODE).

  check       exit code 0 where the receiver of HOST_DIR answers within 5 s
  set-pattern sets kernel.core_pattern from a privileged init container
  --version   print the version
  --help      print this text

Settings are environment variables and <HOST_DIR>/.env; the README has them.
`

const [command, ...operands] = process.argv.slice(2)

switch (command) {
  case undefined: {
    const { main } = await import('./main.ts')
    const exitCode = await main(process.env, new URL(import.meta.url), version())
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
    ;(await import('./watchdog.ts')).runWatchdog(Number(operands[0]))
    break
  case 'check':
    process.exitCode = await (await import('./link/agent-link.ts')).check(process.env)
    break
  case 'set-pattern':
    process.exitCode = await (await import('./set-pattern.ts')).setPattern(process.env)
    break
  case '--version':
  case '-V':
    process.stdout.write(`${version()}\n`)
    break
  case '--help':
  case '-h':
    process.stdout.write(USAGE)
    break
  default:
    process.stderr.write(USAGE)
    process.exitCode = 2
}

/** That of package.json. */
function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const manifest: unknown = JSON.parse(text)
  const hasVersion = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return hasVersion ? String(manifest.version) : 'unknown'
}
