import { findProgram } from '@core-dump-handler/testing/find-program'
import type { Variant } from './variants.ts'

/** What one could pick instead: for sh, where `$0` is the path to write; and its Debian package. */
const PEERS: Readonly<Record<string, Variant & { package: string }>> = {
  cat: { name: 'cat', command: 'exec cat > "$0"', package: 'coreutils' },
  pigz: { name: 'pigz -1', command: 'exec pigz -1 -c > "$0"', package: 'pigz' },
  gzip: { name: 'gzip -6', command: 'exec gzip -6 -c > "$0"', package: 'gzip' },
  zip: { name: 'zip -6', command: 'exec zip -6 -q - - > "$0"', package: 'zip' },
  'zip-1': { name: 'zip -1', command: 'exec zip -1 -q - - > "$0"', package: 'zip' },
  zstd: { name: 'zstd -1', command: 'exec zstd -1 -q -c > "$0"', package: 'zstd' },
  // the level of systemd-coredump
  'zstd-3': { name: 'zstd -3', command: 'exec zstd -3 -q -c > "$0"', package: 'zstd' },
}

/** Those that are installed; of the others how to have them. */
export function peersNamed(names: readonly string[]): { peers: Variant[]; missing: string[] } {
  const peers: Variant[] = []
  const missing: string[] = []
  for (const name of names) {
    const peer = PEERS[name]
    if (peer === undefined) {
      const known = Object.keys(PEERS).join(', ')
      throw new TypeError(`Expected --peers to be of ${known}; got ${name}`)
    }
    const program = name.replace(/-\d$/, '')
    if (findProgram(program) !== undefined) peers.push({ name: peer.name, command: peer.command })
    else missing.push(`${peer.name}: not installed; as root: apt-get install ${peer.package}`)
  }
  return { peers, missing }
}
