export { IngestError, isIngestError } from './error.ts'
export type { IngestErrorCode } from './error.ts'
export { createPartFile } from './part-file/create-part-file.ts'
export type { PartFileOptions } from './part-file/create-part-file.ts'
export type { PartFile } from './part-file/part-file.ts'
export { ZipWriter } from './zip/zip-writer.ts'
export type { ZipAddOptions, ZipSummary, ZipWriterOptions } from './zip/zip-writer.ts'
export type { PlainSize, ZipEntry, ZipEntryOptions, ZipEntryWriter } from './zip/entry-writer.ts'
export { streamSink } from './zip/sink.ts'
export type { ZipSink } from './zip/sink.ts'
export { drain } from './drain/drain.ts'
export type { CompressionEngine, DrainMode, DrainOptions, DrainProgress } from './drain/options.ts'
export { koffiModule } from './drain/engine/koffi.ts'
export { readAhead } from './drain/source/drain-source.ts'
export type { DrainSource, ReadAhead } from './drain/source/drain-source.ts'
export type { DrainCut, DrainResult } from './drain/result.ts'
export type { ElfFacts } from './elf/elf-meter.ts'
export { salvageZip } from './salvage/salvage-zip.ts'
export type {
  SalvageAddition,
  SalvagedZip,
  SalvageOptions,
  SavedEntry,
  SavedZip,
} from './salvage/options.ts'
