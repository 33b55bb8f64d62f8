import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  CrashAnalysis,
  createReport,
  formatReport,
  openCoreFile,
  openModuleFiles,
  type Report,
} from '@core-dump-handler/report'
import { demangle } from '../demangle.ts'
import { CliError, EXIT, messageOf } from '../error.ts'
import { show } from '../output/output.ts'
import type { Command } from './command.ts'

/** A person waits longer than a crashed pod. */
const TIMEOUT_MS = 60_000

/** `cdh report`: the report of any core file. */
export const report: Command = {
  usage: `Usage: cdh report CORE [options]

Prints the stacks of all threads of an ELF core and its fingerprint, as the report
in a bundle has them. Binaries are read at the paths of the crashed process, and
used only if they are the very build.

  --sysroot DIR       where these paths begin; default: /
  --json              the report as JSON, schema core-dump-handler/report@1
`,
  options: { sysroot: { type: 'string' } },
  async run({ args, output }) {
    const path = args.name('core file')
    const made = reportOf(path, resolve(args.text('sysroot') ?? '/'))
    if (args.flag('json')) output.json(made)
    else output.print((await demangle(formatReport(made))).trimEnd())
    return EXIT.ok
  },
}

function reportOf(path: string, root: string): Report {
  const fd = open(path)
  const files = openModuleFiles({ root, followLinks: true })
  try {
    const core = openCoreFile(fd)
    if (core === undefined) throw new CliError('LOCAL', `${show(path)} is no ELF core`)
    const budget = { timeoutMs: TIMEOUT_MS }
    const analysis = new CrashAnalysis({ ...core, openModule: files.open, budget })
    analysis.unwindCrashingThread()
    analysis.unwindAllThreads()
    analysis.nameFrames()
    return createReport(analysis)
  } finally {
    files.close()
    closeSync(fd)
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    const message = `Cannot open the core ${show(path)}: ${messageOf(cause)}; check the path`
    throw new CliError('LOCAL', message, { cause })
  }
}
