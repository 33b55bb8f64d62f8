import { mkdirSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import {
  CNI_CONFIG,
  CNI_PLUGIN,
  containerdConfig,
  containerdPrograms,
  PAUSE_IMAGE,
  type ContainerdVersion,
} from './containerd-config.ts'
import { CriClient } from './cri-client.ts'
import { writeOciImage, type ImageSpec } from './oci-image.ts'
import { startProgram, type Program } from '../program.ts'
import { everyProcessOf, killProcessesOf } from '../processes.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { until } from '../until.ts'
import { testProgram } from '../kernel/test-program.ts'

export const CRASHER_IMAGE = 'test.local/crasher:1'
/** The same without a repo digest, as an image is that was imported and never pulled. */
export const UNTAGGED_IMAGE = 'test.local/untagged:1'

// whatever its configuration says, containerd keeps its shims' sockets and runc's state here
const SHARED_DIRECTORIES = ['s', 'runc/k8s.io', 'runc', ''].map((name) => `/run/containerd/${name}`)

/** A containerd in a scratch directory, with the images of the test programs. */
export class Containerd {
  readonly version: ContainerdVersion
  readonly directory: string = scratchDirectory()
  readonly socket: string = join(this.directory, 'containerd.sock')
  /** Manifest digest of `CRASHER_IMAGE`. */
  crasherDigest = ''
  readonly runtime: CriClient = new CriClient(this.socket)
  #programs = { containerd: '', ctr: '', path: '' }
  #daemon: Program | undefined

  constructor(version: ContainerdVersion) {
    this.version = version
  }

  get daemon(): Program {
    if (!this.#daemon) throw new Error('containerd was not started')
    return this.#daemon
  }

  async start(): Promise<this> {
    this.#programs = await containerdPrograms(this.version)
    const cni = join(this.directory, 'cni')
    mkdirSync(join(cni, 'bin'), { recursive: true })
    for (const plugin of readdirSync('/usr/lib/cni')) {
      symlinkSync(`/usr/lib/cni/${plugin}`, join(cni, 'bin', plugin))
    }
    writeFileSync(join(cni, 'bin/attach-nothing'), CNI_PLUGIN, { mode: 0o755 })
    writeFileSync(join(cni, '10-none.conflist'), CNI_CONFIG)
    writeFileSync(
      join(this.directory, 'config.toml'),
      containerdConfig(this.version, this.directory),
    )
    await this.launch()
    const files = { '/bin/crasher': testProgram('crasher') }
    const config = { Entrypoint: ['/bin/crasher'], Env: ['PATH=/bin'] }
    await this.#import({
      name: PAUSE_IMAGE,
      files: { '/pause': testProgram('pause') },
      config: { Entrypoint: ['/pause'] },
    })
    await this.#import({ name: UNTAGGED_IMAGE, files, config })
    const busybox = { '/bin/busybox': '/bin/busybox' }
    const links = { '/bin/sh': 'busybox' }
    const digest = await this.#import({
      name: CRASHER_IMAGE,
      files: { ...files, ...busybox },
      links,
      config,
    })
    await this.#ctr('images', 'tag', CRASHER_IMAGE, `test.local/crasher@${digest}`)
    this.crasherDigest = digest
    return this
  }

  /** (Re)start the daemon; pods outlive it. */
  async launch(): Promise<void> {
    const { containerd, path } = this.#programs
    this.#daemon = startProgram(containerd, ['--config', join(this.directory, 'config.toml')], {
      log: join(this.directory, 'log'),
      env: { PATH: path },
    })
    await until('containerd answers', () => this.runtime.call('Version'))
  }

  /** End the daemon, what its pods left running, its mounts and its files. */
  async stop(): Promise<void> {
    this.runtime.close()
    await this.#daemon?.stop()
    killProcessesOf(this.directory)
    await until('shims are gone', () => everyProcessOf(this.directory).length === 0)
    removeScratch(this.directory)
    for (const directory of SHARED_DIRECTORIES) removeIfEmpty(directory)
  }

  /** Import an existing OCI archive under its own name. */
  async importArchive(archive: string): Promise<void> {
    await this.#ctr('images', 'import', archive)
  }

  async #import(image: ImageSpec): Promise<string> {
    const layout = join(this.directory, 'image')
    const digest = writeOciImage(layout, image)
    await this.#ctr('images', 'import', `${layout}.tar`)
    rmSync(`${layout}.tar`)
    return digest
  }

  async #ctr(...args: string[]): Promise<void> {
    await execa(this.#programs.ctr, ['-a', this.socket, '-n', 'k8s.io', ...args])
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // another containerd uses it too
  }
}
