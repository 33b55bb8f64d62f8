export {
  BINARIES,
  binaryKey,
  binaryPart,
  formatStoredBinary,
  isBinaryPart,
  isBuildId,
  readStoredBinaries,
  STORED_BINARIES,
} from './binaries.ts'
export { crashOfDumpInfo, crashTime, formatDumpInfo, parseDumpInfo } from './dump-info.ts'
export type { DumpInfo } from './dump-info.ts'
export {
  CORE_REASON_CODES,
  createManifest,
  formatManifest,
  MANIFEST_SCHEMA_ID,
} from './manifest.ts'
export type {
  BundleManifest,
  CoreReasonCode,
  ManifestCore,
  ManifestCrash,
  ManifestEntry,
  ManifestFingerprint,
  ManifestIdentity,
  ManifestParts,
  ManifestTimings,
  Warning,
} from './manifest.ts'
export { parseManifest } from './manifest-schema.ts'
export {
  bundleFileName,
  candidateNames,
  containerEntry,
  ENTRY,
  MAX_NAME_BYTES,
  nameOfPartFile,
  processEntry,
  safeName,
} from './names.ts'
export { readBundle, readManifest, readReportText } from './read-bundle.ts'
export type { BundleInfo, DroppedBundle } from './read-bundle.ts'
export { createBundleFile, writeRecord } from './record.ts'
export type { CrashRecord } from './record.ts'
