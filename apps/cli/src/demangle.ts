import { readFile } from 'node:fs/promises'
import { escapeName } from './output/output.ts'

/** Names of C++ and Rust: Itanium ABI, Rust legacy and v0. Clone suffixes such as `.constprop.0` belong to them. */
const MANGLED = /\b_?_(?:Z|R)[A-Za-z0-9_$.]{2,}/g
const MAX_NAME_CHARACTERS = 4096

type Demangler = (name: string) => string

let loaded: Promise<Demangler> | undefined

/** `text` with the mangled names in it as they are in the source; the demangler is loaded only for such. */
export async function demangle(text: string): Promise<string> {
  const names = text.match(MANGLED)
  if (names === null) return text
  loaded ??= loadDemangler()
  const demangleName = await loaded
  return text.replaceAll(MANGLED, (name) => {
    if (name.length > MAX_NAME_CHARACTERS) return name
    try {
      const plain = escapeName(demangleName(name))
      // of a name that is none it removes the first underscore
      return plain === '' || name.endsWith(plain) ? name : plain
    } catch {
      return name
    }
  })
}

// no library of types that Node programs use has it
declare const WebAssembly: {
  instantiate(
    code: Uint8Array,
    imports: object,
  ): Promise<{ readonly instance: { readonly exports: Readonly<Record<string, unknown>> } }>
}

interface Glue {
  demangle_any(name: string): string
  __wbg_set_wasm(exports: object): void
}

/**
 * The demanglers of LLVM's and Rust's naming schemes that Mozilla's profiler uses, as WebAssembly. Its own
 * entry imports the `.wasm` as a module, which Node 22 does not.
 */
async function loadDemangler(): Promise<Demangler> {
  const base = import.meta.resolve('gecko-profiler-demangle/index_bg.js')
  const glue: unknown = await import(base)
  if (!isGlue(glue)) throw new Error('gecko-profiler-demangle has another interface than 0.4.0')
  const code = await readFile(new URL('index_bg.wasm', base))
  const imports = Object.fromEntries(
    Object.entries(glue).filter(([, value]) => typeof value === 'function'),
  )
  const { instance } = await WebAssembly.instantiate(code, { './index_bg.js': imports })
  glue.__wbg_set_wasm(instance.exports)
  const start = instance.exports['__wbindgen_start']
  if (typeof start === 'function') start()
  return (name) => glue.demangle_any(name)
}

function isGlue(module: unknown): module is Glue {
  return (
    typeof module === 'object' &&
    module !== null &&
    'demangle_any' in module &&
    typeof module.demangle_any === 'function' &&
    '__wbg_set_wasm' in module
  )
}
