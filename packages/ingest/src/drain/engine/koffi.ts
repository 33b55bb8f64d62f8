import { createRequire } from 'node:module'
import { constants } from 'node:os'

/** What is used of koffi's native module, which calls functions of C; https://koffi.dev. */
export interface Koffi {
  load(library: string): { func(declaration: string): NativeFunction }
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
 * The native module of koffi at `path`, or by that name beside the executable's libraries;
 * without `path` that of the npm package. Throws where it cannot be loaded.
 */
export function loadKoffi(path: string | undefined): Koffi {
  const loaded: { exports: unknown } = { exports: {} }
  if (path === undefined) loaded.exports = fromPackage()
  // unlike `require`, it takes a file name, as dlopen(3) does
  else process.dlopen(loaded, path, constants.dlopen.RTLD_NOW)
  if (isKoffi(loaded.exports)) return loaded.exports
  throw new TypeError(`\`${path ?? 'the npm package'}\` is no native module of koffi 3`)
}

function fromPackage(): unknown {
  return createRequire(import.meta.url)(`@koromix/koffi-linux-${process.arch}`)
}

function isKoffi(value: unknown): value is Koffi {
  const functions = ['load', 'address', 'config']
  return (
    typeof value === 'object' &&
    value !== null &&
    functions.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
