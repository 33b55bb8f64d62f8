import { spawnSync } from 'node:child_process'
import type { BenchOptions } from './options.ts'
import type { Workshop } from './workshop.ts'

/** One way to take a core from a pipe to a file. */
export interface Variant {
  readonly name: string
  /** For sh; `$0` is the path to write. */
  readonly command: string
}

const PEERS: Readonly<Record<string, { probe: string; command: string }>> = {
  cat: { probe: 'cat', command: 'exec cat > "$0"' },
  pigz: { probe: 'pigz', command: 'exec pigz -1 -c > "$0"' },
  gzip: { probe: 'gzip', command: 'exec gzip -6 -c > "$0"' },
  zip: { probe: 'zip', command: 'exec zip -6 -q - - > "$0"' },
  zstd: { probe: 'zstd', command: 'exec zstd -1 -q -c > "$0"' },
}

const LABELS: Readonly<Record<string, string>> = {
  cat: 'cat',
  pigz: 'pigz -1',
  gzip: 'gzip -6',
  zip: 'zip -6',
  zstd: 'zstd -1',
}

/** Ours and the others that are installed; the names of those that are not. */
export function variantsOf(
  { modes, peers, set }: BenchOptions,
  { drainProcess }: Workshop,
): { variants: Variant[]; missing: string[] } {
  const missing: string[] = []
  const variants: Variant[] = []
  for (const name of peers) {
    const peer = PEERS[name]
    if (peer === undefined || spawnSync(peer.probe, ['--version']).error !== undefined) {
      missing.push(name)
    } else variants.push({ name: LABELS[name] ?? name, command: peer.command })
  }
  for (const mode of modes) {
    const words = [process.execPath, drainProcess, '"$0"', mode, ...set]
    variants.push({ name: `ingest ${mode}`, command: `exec ${words.join(' ')} > /dev/null` })
  }
  return { variants, missing }
}
