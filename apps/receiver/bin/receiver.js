#!/usr/bin/env node
// plain JavaScript without dependencies: it must report what is missing under any Node, also before `npm ci`
import { existsSync } from 'node:fs'

const OLDEST = [22, 18]
const BUILT = new URL('../dist/cli.js', import.meta.url)
const [major, minor] = process.versions.node.split('.').map(Number)

if (!existsSync(BUILT)) {
  fail('The receiver is not built yet: run `npm ci && npm run build` first.')
} else if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  fail(`The receiver needs Node ${OLDEST.join('.')} or newer, and this is ${process.version}.`)
} else {
  import(BUILT.href).catch((error) => fail(error.stack))
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
