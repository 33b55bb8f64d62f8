/** What a composer needs once it has its turn; not even read before, as many may be waiting. */
export { openBundle, outputDirectory } from './bundle/open.ts'
export { refuseCore, takeCore } from './bundle/take-core.ts'
export { tellStory } from './bundle/tell-story.ts'
export { handOver } from './hand-over.ts'
export { select } from './selection.ts'
