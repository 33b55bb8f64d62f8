import { numbered, type FaultSection } from './row.ts'

/** Unfinished files of composers that died. */
export const LEFT_OVERS: FaultSection = numbered('What dead composers leave', 'left-over', [
  [
    'unfinished file, its writer alive',
    'at every look',
    'not touched',
    'however quiet',
    'apps/agent/src/salvage/salvage.test.ts › a living composer is left alone, however quiet its file; once killed it is salvaged',
  ],
  [
    'file cut at any byte',
    'in each compression',
    'opens, a beginning of the core',
    'in readers that are not ours',
    'packages/ingest/src/salvage/salvage.test.ts › what is left at any cut opens in every reader, and its core is a beginning',
  ],
  [
    'garbage in it',
    'anywhere',
    'never throws',
    'what comes out opens',
    'packages/ingest/src/salvage/salvage.test.ts › garbage at any place never throws, and what comes out opens',
  ],
  [
    'nothing that can be used',
    'at the salvage',
    'a record',
    'only then the file goes',
    'apps/agent/src/salvage/salvage.test.ts › nothing that can be used: a record with the reason, and only then the file goes',
  ],
  [
    'agent killed',
    'at any point of a salvage',
    'the next one finishes it',
    'nothing lost',
    'apps/agent/src/salvage/salvage.test.ts › an agent killed at any point of a salvage loses nothing: the next one finishes it',
  ],
  [
    'disk full',
    'in the salvage',
    'told, and done once there is room',
    'the same file is salvaged later',
    'packages/ingest/src/salvage/salvage.test.ts › a full disk is told; once there is room the same file is salvaged',
  ],
  [
    'process in a container that calls itself a composer',
    'at the salvage',
    'keeps nothing from being salvaged',
    'not counted as a writer',
    'apps/agent/src/salvage/writer-watch.test.ts › a process in a container that calls itself a composer keeps nothing from being salvaged',
  ],
  [
    'a reason in prose, a code that nobody knows',
    'in the manifest that is counted',
    'a label of a fixed list',
    'COMPOSER_DIED for a salvaged one, OTHER for what is not known',
    'apps/agent/src/answer/metrics.test.ts › a core that is not there is counted by the code of its reason, never by its prose',
    'apps/agent/src/answer/metrics.test.ts › a code that nobody knows is no label',
  ],
])
