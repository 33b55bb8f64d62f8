/** The steps that need a slot: this code is loaded only then, as many crashes may be waiting. */
export { openBundle } from './bundle/open-bundle.ts'
export { publish } from './bundle/publish.ts'
export { syncNameLater } from './bundle/sync-name.ts'
export { rejectCore, writeCore } from './bundle/write-core.ts'
export { writeMetadata } from './bundle/write-metadata.ts'
export { applyPolicy, selectByLabel } from './decide/select.ts'
