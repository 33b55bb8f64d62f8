import { numbered, type FaultSection } from './row.ts'

const COMPOSER = 'apps/composer/src'
const STORM = 'integration/storm.test.ts'

/** Disk and storm. */
export const STORM_FAULTS: FaultSection = numbered('Disk and storm', 'storm', [
  [
    '128 crashes',
    'at one moment',
    'each a bundle, or counted by the kernel',
    'within bounded memory',
    `${STORM} › at one moment, 128 of them, are bundles or counted by the kernel, within bounded memory`,
  ],
  [
    'crash loop',
    'of one workload',
    'so many cores, a record, and a number',
    'all three',
    `${STORM} › in a loop become so many cores, a record, and a number (B29)`,
  ],
  [
    '500 crashes',
    'on a disk of 100 MB',
    'the node is usable, each loss has a record',
    'room is left, each has a bundle',
    `${STORM} › on a disk of 100 MB, 500 of them, leave room, and each has a bundle (B29)`,
  ],
  [
    'composer that crashes',
    'in its work',
    'starts no other',
    'no bundle of a composer',
    `${STORM} › of a composer itself start no other`,
  ],
  [
    'core over its limit',
    'in the drain',
    'cut and marked, or refused',
    'both by setting',
    `${COMPOSER}/limits.test.ts › is cut: a valid bundle says how much is missing`,
    `${COMPOSER}/limits.test.ts › is refused by setting, as soon as its ELF headers are read`,
  ],
  [
    'composer that lets others in killed',
    'in a storm',
    'the others go on',
    'all make bundles',
    `${COMPOSER}/gate/gate.test.ts › go on when the one that lets them in is killed`,
  ],
  [
    'the gate',
    'its door is a link, a file, a directory',
    'a composer goes on',
    'a door in its place; with a directory `GATE_FAILED` in the manifest',
    `${COMPOSER}/gate/gate.test.ts › such as %s for its door, a composer goes on`,
  ],
  [
    'code of the composer',
    'cannot be loaded behind the gate',
    'process and other composers are let go',
    'exit 1 with the reason; the door is gone',
    `${COMPOSER}/gate/gate.test.ts › a composer whose code cannot be loaded lets its process and the others go`,
  ],
])
