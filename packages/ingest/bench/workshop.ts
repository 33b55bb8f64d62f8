import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { koffiModule } from '@core-dump-handler/ingest'
import { bundle, compile, installComposer } from './compile.ts'
import { Cores } from './cores.ts'
import type { BenchOptions } from './options.ts'

/** Programs and inputs of one run, in a directory that is removed at its end. */
export interface Workshop extends Disposable {
  /** A directory for the output of the variants alone. */
  readonly out: string
  /** A program that feeds a file to a command as the kernel does. */
  readonly feeder: string
  /** The drain as a process. */
  readonly drainProcess: string
  /** koffi's native module, which the composer has beside it. */
  readonly koffi: string
  /** The installed composer; undefined where it is not built. */
  readonly composer: string | undefined
  readonly cores: Cores
}

export async function openWorkshop(options: BenchOptions): Promise<Workshop> {
  const parent = options.dir ?? tmpdir()
  mkdirSync(parent, { recursive: true })
  const dir = mkdtempSync(join(parent, 'ingest-bench-'))
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      remove()
      process.exit(code)
    })
  }
  try {
    const out = join(dir, 'out')
    mkdirSync(out)
    return {
      out,
      feeder: compile(dir, 'feeder'),
      drainProcess: await bundle(dir),
      koffi: koffiModule() ?? '',
      composer: installComposer(dir),
      cores: new Cores(dir, options),
      [Symbol.dispose]: remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
