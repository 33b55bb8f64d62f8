import { createHash } from 'node:crypto'
import type { Trust } from '../unwind/frame.ts'

/** Part of each key: another version makes other keys. */
export const FINGERPRINT_VERSION = 1
const ID_FRAMES = 8
const FAMILY_FRAMES = 5
const SIGNAL_SEARCH_FRAMES = 64
const HEX_DIGITS = 24
const MAX_NAME_CHARACTERS = 1024
/** NAME_MAX. */
const MAX_FILE_NAME_CHARACTERS = 255

/** A frame as far as it makes the key of a crash. */
export interface FingerprintFrame {
  /** Path of its module; absent of code that was made at run time. */
  readonly module?: string
  readonly buildId?: string
  /** Address in the module's own numbering. */
  readonly vaddr?: number
  readonly symbol?: string
  readonly trust: Trust
}

export interface FingerprintInput {
  readonly exe: { readonly name: string; readonly buildId?: string }
  readonly signal: number
  readonly frames: readonly FingerprintFrame[]
  /** The stack was used up: where exactly it ended is chance. */
  readonly isStackOverflow?: boolean
}

/** What two crashes at the same place have in common, whatever their addresses, pids and hosts. */
export interface Fingerprint {
  /** Build and place of eight frames: the same crash of the same build. */
  readonly id: string
  /** Names of five functions: the same crash of any build. */
  readonly family: string
  readonly quality: 'frames' | 'few' | 'none'
  /** What `id` is the hash of. */
  readonly basis: readonly string[]
}

export function fingerprint(input: FingerprintInput): Fingerprint {
  const { exe, signal } = input
  const all = input.frames.map(withShortNames)
  const own = input.isStackOverflow === true ? recursionOf(all) : undefined
  const frames = own ?? significantFrames(all)
  const how = `signal ${signal}${own === undefined ? '' : ', stack overflow'}`
  const head = [`v${FINGERPRINT_VERSION}`, `exe ${exe.buildId ?? exe.name}`, how]
  const basis = [...head, ...frames.slice(0, ID_FRAMES).map(placeOf)]
  const family = [`v${FINGERPRINT_VERSION}`, `exe ${exe.name}`, how]
  return {
    id: hash(basis),
    family: hash([...family, ...frames.slice(0, FAMILY_FRAMES).map(nameOf)]),
    quality: frames.length >= 3 ? 'frames' : frames.length > 0 ? 'few' : 'none',
    basis,
  }
}

/** The first frames that a person would look at; none that was guessed, nor what is called from one. */
export function significantFrames(frames: readonly FingerprintFrame[]): FingerprintFrame[] {
  const sure = sureFrames(frames)
  let first = 0
  while (first < sure.length - 1 && isDying(sure[first] ?? NO_FRAME)) first++
  let last = sure.length
  while (last > first + 1 && isStarting(sure[last - 1] ?? NO_FRAME)) last--
  return foldRecursion(sure.slice(first, last))
}

/** The crashed program chose them, and they are searched. */
function withShortNames(frame: FingerprintFrame): FingerprintFrame {
  return frame.symbol === undefined
    ? frame
    : { ...frame, symbol: frame.symbol.slice(0, MAX_NAME_CHARACTERS) }
}

const NO_FRAME: FingerprintFrame = { trust: 'context' }

function sureFrames(frames: readonly FingerprintFrame[]): readonly FingerprintFrame[] {
  const guess = frames.findIndex(({ trust }) => trust === 'scan')
  const sure = guess < 0 ? frames : frames.slice(0, guess)
  // a handler that dies on its own account: what it interrupted is the crash
  const signal = sure
    .slice(0, SIGNAL_SEARCH_FRAMES)
    .findLastIndex(({ trust }) => trust === 'signal')
  return sure.slice(Math.max(0, signal))
}

/** A function that calls itself is there once, and two that call each other once each. */
function foldRecursion(frames: readonly FingerprintFrame[]): FingerprintFrame[] {
  const folded: FingerprintFrame[] = []
  for (const frame of frames) {
    const [third, second, first] = [folded.at(-3), folded.at(-2), folded.at(-1)]
    if (isSame(first, frame)) continue
    if (isSame(second, frame) && isSame(third, first)) {
      folded.pop()
      continue
    }
    folded.push(frame)
    if (folded.length === ID_FRAMES) break
  }
  return folded
}

/** The frames of an endless recursion, from the one whose place sorts first; undefined without one. */
function recursionOf(frames: readonly FingerprintFrame[]): FingerprintFrame[] | undefined {
  const seen = new Map<string, { readonly frame: FingerprintFrame; count: number }>()
  for (const frame of sureFrames(frames).slice(1)) {
    const place = placeOf(frame)
    const known = seen.get(place)
    if (known) known.count++
    else seen.set(place, { frame, count: 1 })
  }
  const repeated = [...seen.values()].filter(({ count }) => count >= 8).map(({ frame }) => frame)
  const places = repeated.map(placeOf)
  const first = places.indexOf(places.toSorted()[0] ?? '')
  return repeated.length === 0 ? undefined : [...repeated.slice(first), ...repeated.slice(0, first)]
}

function isSame(a: FingerprintFrame | undefined, b: FingerprintFrame | undefined): boolean {
  if (a === undefined || b === undefined) return false
  if (a.module !== b.module || a.buildId !== b.buildId) return false
  return a.symbol === undefined ? a.vaddr === b.vaddr : a.symbol === b.symbol
}

function placeOf({ module, buildId, vaddr, symbol }: FingerprintFrame): string {
  if (module === undefined) return 'anon'
  const where = buildId ?? plainModule(module)
  return `${where}+${vaddr === undefined ? (symbol ?? '?') : vaddr.toString(16)}`
}

function nameOf({ module, symbol }: FingerprintFrame): string {
  if (symbol !== undefined) return plainSymbol(symbol)
  return module === undefined ? 'anon' : plainModule(module)
}

function hash(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, HEX_DIGITS)
}

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
const SYSTEM_LIBRARY = /^(libc|libpthread|libstdc\+\+|libgcc_s|ld-linux.*|ld-musl.*)[.-]/s

interface PlacedFrame {
  readonly symbol?: string
  readonly module?: string
}

function isDying({ symbol, module }: PlacedFrame): boolean {
  if (symbol !== undefined) return DYING.some((pattern) => pattern.test(symbol))
  return module !== undefined && SYSTEM_LIBRARY.test(programName(module))
}

function isStarting({ symbol, module }: PlacedFrame): boolean {
  if (symbol !== undefined && STARTING.test(symbol)) return true
  return module !== undefined && SYSTEM_LIBRARY.test(programName(module))
}

/** Of a symbol, what another build of the same source has too. */
function plainSymbol(symbol: string): string {
  return symbol
    .replaceAll(/\.(part|isra|constprop|cold|lto_priv|llvm|abi0|abiinternal)(\.\d+)*/g, '')
    .replace(/17h[0-9a-f]{16}E$/, 'E')
    .replace(/::h[0-9a-f]{16}$/, '')
    .replaceAll(/Cs[0-9A-Za-z]+_(?=\d)/g, 'C')
    .replace(/@.*$/, '')
}

/** Of a module's path, what another version of it has too. */
function plainModule(path: string): string {
  return programName(path).replaceAll(/[-.]\d[\d.]*(?=\.so|$)|\.so[.\d]*$/g, '')
}

/** The file of a path, without what the kernel adds when it has been deleted. */
export function programName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/ \(deleted\)$/, '')
  return name.slice(0, MAX_FILE_NAME_CHARACTERS)
}
