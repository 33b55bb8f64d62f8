#!/usr/bin/env node
// plain JavaScript without dependencies: this must start under whatever Node the machine has
import { existsSync } from 'node:fs'

const OLDEST = [22, 18]
const BUILT = new URL('../dist/cli.js', import.meta.url)
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  fail(`cdh needs Node ${OLDEST.join('.')} or newer, and this is ${process.version}.`)
} else if (!existsSync(BUILT)) {
  fail('cdh is not built yet: run `npm ci && npm run build` first.')
} else {
  await import(BUILT.href)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
