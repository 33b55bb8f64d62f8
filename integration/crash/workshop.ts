import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'

const COMPOSER = new URL('../../apps/composer/dist/cdc.cjs', import.meta.url).pathname
// Node's own, which may not be the one a wrapper on PATH ends in
const ARGS = ['-e=web', '-s=11', '-p=1', '-t=1700000000', '-E=!usr!bin!web', '-h=web-1']

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface RunOptions {
  /** What names the bundle. */
  readonly name: string
  /** The whole core; without one stdin stays open. */
  readonly core?: Uint8Array
  readonly env?: Readonly<Record<string, string>>
  /** Program and arguments that run the composer, such as `strace -f`. */
  readonly under?: readonly string[]
}

/** Runs the deployed composer without the kernel, so that it can fail at a chosen moment. */
export class Workshop {
  readonly directory: string = scratchDirectory()
  readonly coreDir: string = join(this.directory, 'cores')

  constructor() {
    if (!existsSync(COMPOSER))
      throw new Error('the composer is not built: run `npm run build` first')
    mkdirSync(this.coreDir)
    onTestFinished(() => removeScratch(this.directory))
  }

  start({ name, core, env, under = [] }: RunOptions): {
    child: ChildProcessByStdio<Writable, null, Readable>
    ended: Promise<Ended>
  } {
    const home = join(this.directory, `home-${name}`)
    mkdirSync(home, { recursive: true })
    const [command = '', ...args] = [...under, process.execPath, COMPOSER, ...ARGS]
    const settings = {
      COMPOSER_HOME: home,
      CORE_DIR: this.coreDir,
      FILENAME_TEMPLATE: name,
      IGNORE_CRIO: 'true',
    }
    // not execa: tests feed its stdin in parts, and kill it by signals
    const child = spawn(command, args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', ...settings, ...env },
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    // a composer that has died reads no more
    child.stdin.on('error', () => {})
    if (core !== undefined) child.stdin.end(core)
    const ended = once(child, 'close').then((): Ended => ({
      code: child.exitCode,
      signal: child.signalCode,
      stderr: stderr + readIfThere(join(home, 'composer.log')),
    }))
    return { child, ended }
  }

  path(name: string): string {
    return join(this.coreDir, `${name}.zip`)
  }

  partPath(name: string): string {
    return join(this.coreDir, `.${name}.zip.part`)
  }

  forget(name: string): void {
    rmSync(this.path(name), { force: true })
    rmSync(this.partPath(name), { force: true })
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
