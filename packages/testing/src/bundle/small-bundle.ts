import { randomUUID } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundleManifest } from '@core-dump-handler/bundle'
import JSZip from 'jszip'

/** Returns a function that writes small bundles to `directory`, equal but for name and uuid. */
export function bundleMaker(directory: string): (name: string) => Promise<void> {
  return async (name) => {
    const part = join(directory, `.${name}.zip.part`)
    writeFileSync(part, await smallBundle(name))
    renameSync(part, join(directory, `${name}.zip`))
  }
}

async function smallBundle(name: string): Promise<Buffer> {
  const manifest: BundleManifest = {
    schema: 'core-dump-handler/bundle@1',
    uuid: randomUUID(),
    composer: '0.0.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    crash: { time: new Date().toISOString(), signal: 11, signalName: 'SIGSEGV', comm: 'crasher' },
    identity: { status: 'verified', container: 'c', pod: 'p', namespace: 'n' },
    core: { entry: `${name}.core`, bytes: 4096, complete: true },
    timings: { heldMs: 1, lookupMs: 1, totalMs: 1 },
    problems: [],
  }
  return new JSZip()
    .file(`${name}-dump-info.json`, '{}')
    .file(`${name}.core`, Buffer.alloc(4096))
    .file(`${name}-manifest.json`, JSON.stringify(manifest))
    .generateAsync({ type: 'nodebuffer' })
}
