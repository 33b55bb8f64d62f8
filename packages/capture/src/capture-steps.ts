/** The steps that need a slot: this code is loaded only then, as many crashes may be waiting. */
export { openBundle } from './bundle/open-bundle.ts'
export { publish, syncNameLater } from './bundle/publish.ts'
export { rejectCore, writeCore } from './bundle/write-core.ts'
export { writeMetadata } from './bundle/write-metadata.ts'
export { limitFingerprint } from './decide/fingerprint-limit.ts'
export { applyPolicy, selectByLabel } from './decide/select.ts'
