import { spawn } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { koffiModule } from '@core-dump-handler/ingest'
import { bundleComposer } from '../../../apps/composer/build/bundle.ts'
import { promised } from './promises.ts'

export interface ComposerRun {
  readonly args: readonly Buffer[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly core: Uint8Array
}

export interface ComposerEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Composer = (run: ComposerRun) => Promise<ComposerEnd>

const LIMIT_MS = 25_000
// arguments as the bytes they are: Node passes on UTF-8 only, and a shell reads some bytes its own way
const EXEC = 'my @a = map { pack "H*", $_ } @ARGV; exec { $a[0] } @a or exit 127'

/** The composer as it is deployed, one file, run as a child. */
export async function buildComposer(directory: string): Promise<Composer> {
  const program = join(directory, 'cdc.cjs')
  await bundleComposer(program)
  copyFileSync(koffiModule() ?? '', join(directory, 'koffi.node'))
  return (run) => runComposer(program, run)
}

async function runComposer(program: string, run: ComposerRun): Promise<ComposerEnd> {
  const words = [Buffer.from(process.execPath), Buffer.from(program), ...run.args]
  const child = spawn('perl', ['-e', EXEC, ...words.map((each) => each.toString('hex'))], {
    cwd: run.cwd,
    env: run.env,
    stdio: 'pipe',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  child.stdin.on('error', () => {}).end(run.core)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject).on('close', (code, signal) => {
    if (signal === null) resolve(code)
    else reject(new Error(`the composer ended by ${signal} (hung?): ${said.stderr}`))
  })
  const code = await promise
  promised([0, 1, 32].includes(code ?? -1), () => `exit code ${code}: ${said.stderr}`)
  promised(!/\n {4}at /.test(said.stderr), () => `a stack trace: ${said.stderr}`)
  return { code, ...said }
}
