import { numbered, type FaultSection } from './row.ts'

const STRAIGHT = 'integration/straight.test.ts'

/** Bundles on their way to the store without the disk. */
export const STRAIGHT_FAULTS: FaultSection = numbered('Straight to the store', 'straight', [
  [
    'store down',
    'from the start',
    'by the disk, nothing lost',
    'a bundle on the node at once, delivered when the store is back',
    `${STRAIGHT} › goes by the disk when the store is down from the start`,
  ],
  [
    'store down',
    'with the beginning in it',
    'the rest is kept on the disk',
    'the object is whole once the store is back, and nothing else is left',
    `${STRAIGHT} › whose store dies in the middle is kept from there, and whole in the end`,
  ],
  [
    'store slower than the core',
    'all the time',
    'the process is not held for it',
    'released in time, the rest by the disk, the object whole',
    `${STRAIGHT} › does not hold the process for a store that is slow`,
  ],
  [
    'kill -9 of the agent',
    'in mid-stream',
    'the composer keeps the rest',
    'the next agent completes the object',
    `${STRAIGHT} › kill -9 of the agent: the composer keeps the rest, the next agent completes it`,
  ],
  [
    'SIGTERM of the agent',
    'in mid-stream',
    'nothing lost',
    'whole by the next agent',
    `${STRAIGHT} › SIGTERM of the agent in the middle loses nothing`,
  ],
  [
    'kill -9 of the composer',
    'in mid-stream',
    'no half object; what came is kept',
    'an archive that opens, its core a beginning, no upload left',
    `${STRAIGHT} › kill -9 of the composer: what it had sent is ended, and says so`,
    'packages/ingest/src/salvage/end-archive.test.ts › a stream whose writer died is ended where its data is sound, mode %s',
  ],
  [
    'kill -9 of both',
    'agent in mid-stream, composer over the rest',
    'what there is becomes a bundle',
    'ended by the next agent, its core a beginning',
    `${STRAIGHT} › kill -9 of both, one after the other: the next agent ends what there is`,
  ],
  [
    'unfinished upload ended by the store',
    'before the rest was sent',
    'never silently dropped',
    'what is left is stored beside, and a record says where',
    `${STRAIGHT} › whose beginning the store has dropped is not dropped here: a record says where its end is`,
  ],
  [
    'many at once',
    'more than the agent has buffers for',
    'bounded memory',
    'the others go by the disk; 128 MiB suffice',
    `${STRAIGHT} › goes by the disk while another is sent, and both arrive`,
    `${STRAIGHT} › stays within the memory of composer and agent, as installed`,
  ],
  [
    'upload given up',
    'while the store begins it, or takes a part of it',
    'no parts are left in the store to be paid for',
    'aborted once its id is known, and once more for the part that came in late',
    'packages/upload/src/s3/parts/parts.test.ts › that is given up during a %s leaves no upload',
    `${STRAIGHT} › does not hold the process for a store that is slow`,
  ],
])
