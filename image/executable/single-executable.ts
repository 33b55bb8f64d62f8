import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { JIT_OPTION } from '../../apps/agent/src/deploy/patch-executable.ts'
import type { Architecture } from './architecture.ts'
import { stripOf } from './packages.ts'

const POSTJECT = createRequire(import.meta.url).resolve('postject/dist/cli.js')
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
/** Room for the directory that the agent writes in when it installs the file (elf(5), PT_INTERP). */
const PLACEHOLDER = `/${'placeholder/'.repeat(17)}`

/**
 * A copy of `node` in `work` that runs `work/main.cjs` and finds its loader and libraries in one
 * directory. The order strip, inject, patchelf is the only one that leaves a sound string table.
 */
export function singleExecutable(architecture: Architecture, node: string, work: string): string {
  seaBlob(work)
  const executable = join(work, 'cdc')
  copyFileSync(node, executable)
  chmodSync(executable, 0o755)
  execaSync(stripOf(architecture.triplet), [executable])
  execaSync(process.execPath, [
    POSTJECT,
    executable,
    'NODE_SEA_BLOB',
    join(work, 'sea.blob'),
    '--sentinel-fuse',
    FUSE,
  ])
  execaSync('patchelf', ['--set-interpreter', `${PLACEHOLDER}${architecture.loader}`, executable])
  execaSync('patchelf', ['--force-rpath', '--set-rpath', PLACEHOLDER, executable])
  return executable
}

/** Holds neither snapshot nor code cache, so it is the same for every architecture and build. */
function seaBlob(work: string): void {
  const settings = {
    main: 'main.cjs',
    output: 'sea.blob',
    disableExperimentalSEAWarning: true,
    // the agent replaces it where SELinux denies executable memory
    execArgv: [JIT_OPTION],
  }
  writeFileSync(join(work, 'sea.json'), JSON.stringify(settings))
  // the blob records the path of its main as given: a relative one names no machine
  execaSync(process.execPath, ['--experimental-sea-config', 'sea.json'], { cwd: work })
}
