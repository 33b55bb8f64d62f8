export { CoreStream } from './core/core-stream.ts'
export { CoreHead, openCore, openCoreFile } from './core/core-head.ts'
export type { CoreFile } from './core/core-head.ts'
export { factsOf, plainFacts } from './core/core-facts.ts'
export type {
  CoreFacts,
  FileMapping,
  PlainFacts,
  SignalFacts,
  ThreadFacts,
} from './core/core-facts.ts'
export { processMemory, Slab, WindowMemory } from './core/memory.ts'
export type { MemoryReader } from './core/memory.ts'
export { readWindows, requestWindows, WINDOW_LIMITS } from './core/stack-windows.ts'
export type { Window, WindowLimits } from './core/stack-windows.ts'
export type { SegmentTable, Segment } from './core/segment-table.ts'
export { bufferSource, fileSource } from './elf/byte-source.ts'
export type { ByteSource } from './elf/byte-source.ts'
export { ElfFile } from './elf/elf-file.ts'
export type { ElfSection } from './elf/elf-file.ts'
export { openModuleFiles } from './modules/module-files.ts'
export type { ModuleFiles, ModuleFilesOptions } from './modules/module-files.ts'
export type { Module, OpenModule } from './modules/module.ts'
export { CrashAnalysis } from './crash-analysis.ts'
export type { AnalysisInput } from './crash-analysis.ts'
export type { BudgetOptions } from './unwind/budget.ts'
export type { Frame, Stack, Trust } from './unwind/frame.ts'
export { fingerprint, FINGERPRINT_VERSION } from './fingerprint/fingerprint.ts'
export type { Fingerprint, FingerprintFrame, FingerprintInput } from './fingerprint/fingerprint.ts'
export { createReport, fingerprintOf, MAX_REPORT_BYTES } from './report/create-report.ts'
export { formatReport, topFrame } from './report/format-report.ts'
export { REPORT_SCHEMA } from './report/report-type.ts'
export type {
  Report,
  ReportCrash,
  ReportFrame,
  ReportGroup,
  ReportModule,
  ReportThread,
} from './report/report-type.ts'
export { createMinicore } from './minicore/create-minicore.ts'
export type { MinicoreOptions } from './minicore/create-minicore.ts'
