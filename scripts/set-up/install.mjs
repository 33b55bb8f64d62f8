import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './root.mjs'
import { SetUpError, say } from './say.mjs'

const LOCKFILE = join(ROOT, 'package-lock.json')
const STAMP = join(ROOT, 'node_modules/.installed-lockfile')

/** `npm ci`, unless node_modules is already what package-lock.json says. */
export async function ensureInstalled() {
  const hash = createHash('sha256').update(readFileSync(LOCKFILE)).digest('hex')
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return
  if (!matchesLockfile()) npmCi()
  writeFileSync(STAMP, hash)
}

/** Whether npm itself recorded the same versions, as after an `npm install` of the user. */
function matchesLockfile() {
  try {
    const wanted = packagesOf(LOCKFILE)
    const installed = packagesOf(join(ROOT, 'node_modules/.package-lock.json'))
    return Object.entries(wanted).every(
      ([path, { version, optional, link }]) =>
        path === '' ||
        !path.includes('node_modules/') ||
        (optional === true && installed[path] === undefined && !isOurNode(path)) ||
        (installed[path] !== undefined && (link === true || installed[path].version === version)),
    )
  } catch {
    return false
  }
}

/** @param {string} path */
function isOurNode(path) {
  return process.platform === 'linux' && path.endsWith(`/node-linux-${process.arch}`)
}

/**
 * @param {string} lockfile
 * @returns {Record<string, { version?: string, optional?: boolean, link?: boolean }>}
 */
function packagesOf(lockfile) {
  return JSON.parse(readFileSync(lockfile, 'utf8')).packages
}

function npmCi() {
  say('installing the npm packages of package-lock.json (npm ci), about 20 s')
  // the npm that runs us, where one does; engine warnings are about this Node, not the pinned one
  const npm = process.env['npm_execpath']
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: ROOT, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    throw new SetUpError(
      `\`npm ci\` in ${ROOT} failed (${error?.message ?? `exit code ${status}`}): its own message is above; a registry must be reachable.`,
    )
  }
}
