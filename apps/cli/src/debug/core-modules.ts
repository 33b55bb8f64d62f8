import { closeSync, openSync } from 'node:fs'
import { CrashAnalysis, openCoreFile, type Module } from '@core-dump-handler/report'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/escape.ts'

/** A file that the crashed process had mapped, and how its true build is recognized. */
export interface WantedModule {
  /** As the process had it, absolute. */
  readonly path: string
  /** In hex. */
  readonly buildId?: string
  /** First page of the file in the core; the proof where there is no build-id. Empty: not in the core. */
  readonly firstPage: Buffer
  readonly isProgram: boolean
}

/**
 * The files that a debugger needs for a core.
 *
 * @throws CliError `DAMAGED` when it is no ELF core
 */
export function readWantedModules(path: string): WantedModule[] {
  const fd = open(path)
  try {
    const core = openCoreFile(fd)
    if (core === undefined) throw new CliError('DAMAGED', `${show(path)} is no ELF core`)
    const analysis = new CrashAnalysis(core)
    const program = analysis.executable
    return [...analysis.loadedModules()]
      .filter((module) => module.path.startsWith('/'))
      .map((module) => wanted(module, module === program))
  } finally {
    closeSync(fd)
  }
}

function wanted(module: Module, isProgram: boolean): WantedModule {
  const buildId = module.buildIdInCore
  return {
    path: module.path,
    ...(buildId !== undefined && { buildId }),
    firstPage: module.firstPage(),
    isProgram,
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    const message = `Cannot open the core ${show(path)}: ${messageOf(cause)}`
    throw new CliError('LOCAL', message, { cause })
  }
}
