/** Functions that end a program: how it died, not why. */
const DYING: readonly RegExp[] = [
  /^(__)?(GI_)?(raise|abort|_*pthread_kill\w*|gsignal|tgkill|kill|__assert\w*|__fortify_fail\w*|__chk_fail|__stack_chk_fail\w*|__libc_message\w*|malloc_printerr|__libc_fatal|_exit)(@|\.|$)/,
  /^_ZSt9terminatev|^_ZN10__cxxabiv1\d+__(terminate|unexpected)|^__cxa_(throw|rethrow|bad_cast|pure_virtual)|^_ZN9__gnu_cxx27__verbose_terminate|^_Unwind_/,
  /rust_panic|rust_begin_unwind|panicking|__rust_start_panic|__rust_abort|__rust_end_short|abort_internal|std7process5abort|option\w{0,32}(expect|unwrap)_failed|result13unwrap_failed/,
  /^runtime\.(raise|dieFromSignal|fatalpanic|gopanic|panic\w*|goPanic\w*|sigpanic|sighandler|sigtrampgo|sigtramp|sigfwdgo|cgoSigtramp|crash|throw|fatalthrow|sigreturn)/,
  /^_ZN4nodeL?5AbortE|^_ZN4node12_GLOBAL__N_119DefaultAbortHandler|^_ZN2v84base\d+(Fatal|OS5Abort)|V8_Fatal/,
]

/** Functions that call a program's own code: below them begins what belongs to the system. */
const STARTING =
  /^(_start|__libc_start\w*|start_thread|__?clone3?|libc_start_main_stage2|__libc_start_main_stage2|execute_native_thread_routine)(@|\.|$)/

/** Libraries whose functions are how a program starts and dies; their names are often missing. */
const SYSTEM_LIBRARY =
  /(^|\/)(libc|libpthread|libstdc\+\+|libgcc_s|ld-linux[^/]*|ld-musl[^/]*)[.-][^/]*$/

export interface PlacedFrame {
  readonly symbol?: string
  readonly module?: string
}

export function isDying({ symbol, module }: PlacedFrame): boolean {
  if (symbol !== undefined) return DYING.some((pattern) => pattern.test(symbol))
  return module !== undefined && SYSTEM_LIBRARY.test(module)
}

export function isStarting({ symbol, module }: PlacedFrame): boolean {
  if (symbol !== undefined && STARTING.test(symbol)) return true
  return module !== undefined && SYSTEM_LIBRARY.test(module)
}

/** Of a symbol, what another build of the same source has too. */
export function plainSymbol(symbol: string): string {
  return symbol
    .replaceAll(/\.(part|isra|constprop|cold|lto_priv|llvm|abi0|abiinternal)(\.\d+)*/g, '')
    .replace(/17h[0-9a-f]{16}E$/, 'E')
    .replace(/::h[0-9a-f]{16}$/, '')
    .replaceAll(/Cs[0-9A-Za-z]+_(?=\d)/g, 'C')
    .replace(/@.*$/, '')
}

/** Of a module's path, what another version of it has too. */
export function plainModule(path: string): string {
  return programName(path).replaceAll(/[-.]\d[\d.]*(?=\.so|$)|\.so[.\d]*$/g, '')
}

/** The file of a path, without what the kernel adds when it has been deleted. */
export function programName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/ \(deleted\)$/, '')
}
