import { createRequire } from 'node:module'
import { constants } from 'node:os'

/** What is used of koffi's native module, which calls functions of C; https://koffi.dev. */
export interface Koffi {
  /** `null` is this process, with the C library. */
  load(library: string | null): { func(declaration: string): NativeFunction }
  /** Of the memory of a buffer, which stays there until the buffer is collected. */
  address(buffer: Uint8Array): bigint
  config(options: { resident_async_pools: number }): void
}

export interface NativeFunction {
  (...args: readonly (Uint8Array | number)[]): number
  /** Runs on libuv's thread pool; a callback follows the arguments. */
  async(buffer: Uint8Array, done: (error: Error | null, result: number) => void): void
}

/**
 * The native module of koffi: the file `path`, where a name without a directory means one beside the
 * libraries of the executable; without `path` that of the npm package. Throws where it cannot be loaded.
 */
export function loadKoffi(path: string | undefined): Koffi {
  const loaded: { exports: unknown } = { exports: {} }
  if (path === undefined) {
    loaded.exports = createRequire(import.meta.url)(`@koromix/koffi-linux-${process.arch}`)
  } else {
    // unlike `require`, it takes a name without a directory; dlopen(3)
    process.dlopen(loaded, path, constants.dlopen.RTLD_NOW)
  }
  if (isKoffi(loaded.exports)) return loaded.exports
  throw new TypeError(`\`${path ?? 'the npm package'}\` is not a native module of koffi 3`)
}

/**
 * koffi's native module for glibc in the npm package, to be copied beside a program that is one
 * file (`koffiPath` of `drain`); undefined where the package is not installed.
 */
export function koffiModule(): string | undefined {
  const file = `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`
  try {
    return createRequire(import.meta.url).resolve(file)
  } catch {
    return undefined
  }
}

function isKoffi(value: unknown): value is Koffi {
  const functions = ['load', 'address', 'config']
  return (
    typeof value === 'object' &&
    value !== null &&
    functions.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
