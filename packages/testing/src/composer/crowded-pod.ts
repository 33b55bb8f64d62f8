import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type CriServer, type FakeContainer, serveCri } from '../cri/cri-server.ts'
import { dumpingProcess } from './scratch-proc.ts'

const UID = '3d2c1b0a-1111-4222-8333-444455556666'
const SANDBOX = 'a1'.repeat(32)
const PID = 4711

/** A node in `dir` with one pod of many containers, of which the first one dumps core. */
export interface CrowdedPod extends Disposable {
  readonly home: string
  readonly cores: string
  /** Where the procfs is. */
  readonly proc: string
  /** The log of every container, each by a path of its own. */
  readonly logPath: string
  /** What the kernel passes for the crash. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly server: CriServer
}

/** Id of the container with this number. */
export function crowdedId(number: number): string {
  return String(number).padStart(64, 'c')
}

export interface CrowdedPodOptions {
  /** What is special about the container with this number. */
  readonly container?: (number: number) => Partial<FakeContainer>
  /** Methods of the runtime that do not answer while they are in the list. */
  readonly hangs?: readonly string[]
}

export async function crowdedPod(
  dir: string,
  count: number,
  { container, hangs = [] }: CrowdedPodOptions = {},
): Promise<CrowdedPod> {
  const [home, cores, proc] = [join(dir, 'home'), join(dir, 'cores'), join(dir, 'proc')]
  mkdirSync(home)
  mkdirSync(cores)
  const logPath = join(dir, `pods/shop_web_${UID}/main/0.log`)
  mkdirSync(dirname(logPath), { recursive: true })
  writeFileSync(logPath, '2026-11-23T05:57:01.1Z stderr F last words\n')
  await dumpingProcess(proc, PID, `/kubepods/pod${UID}/${crowdedId(0)}`, [PID, 1])
  const socket = join(dir, 's')
  const server = await serveCri(socket, {
    containers: Array.from({ length: count }, (_, number) => ({
      id: crowdedId(number),
      sandboxId: SANDBOX,
      name: `c${number}`,
      // the same file by different paths
      logPath: logPath.replace('/pods/', `${'/'.repeat(number + 1)}pods/`),
      ...container?.(number),
    })),
    sandboxes: [{ id: SANDBOX, name: 'web', namespace: 'shop', uid: UID }],
    images: [],
    hangs,
  })
  const args = ['-e=web', '-p=1', '-s=6', '-t=1700000000', `-P=${PID}`, `-I=${PID}`]
  return {
    home,
    cores,
    proc,
    logPath,
    args: [...args, '-u=1000', '-g=1000'],
    env: {
      COMPOSER_HOME: home,
      CORE_DIR: cores,
      CRI_CLIENT: 'grpc',
      CRI_ENDPOINT: socket,
      OVERRIDE_PROC_FOLDER_PATH: proc,
    },
    server,
    [Symbol.dispose]: () => server.close(),
  }
}
