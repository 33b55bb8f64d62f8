#!/usr/bin/env node
// plain JavaScript without dependencies: this must start under whatever Node the machine has, also before `npm ci`
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const OLDEST = [22, 18]
const BUILT = new URL('../dist/cli.js', import.meta.url)

start(process.argv.slice(2))

/** Runs the receiver in this process, or, under an older Node, in the pinned one where it is installed. */
function start(args) {
  if (!existsSync(BUILT))
    return fail('The receiver is not built yet: run `npm ci && npm run build` first.')
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
    import(BUILT.href).catch((error) => {
      console.error(error)
      process.exitCode = 1
    })
    return
  }
  const node = pinnedNode()
  if (node !== undefined) return runBy(node, args)
  fail(`The receiver needs Node ${OLDEST.join('.')} or newer, and this is ${process.version}.`)
}

function pinnedNode() {
  try {
    const name = `node-linux-${process.arch}/package.json`
    const path = createRequire(import.meta.url)
      .resolve(name)
      .replace(/package\.json$/, 'bin/node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

function runBy(node, args) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...args], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Cannot run the pinned Node ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal]
  })
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
