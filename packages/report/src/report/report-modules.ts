import type { Module } from '../modules/module.ts'
import type { ReportModule } from './report-type.ts'
import { hex, jsonBytes, shorten } from './text.ts'

/** The modules of a report, each with its place in the list. */
export class ReportModules {
  readonly #indexes = new Map<Module, number>()
  readonly #modules: ReportModule[] = []

  has(module: Module): boolean {
    return this.#indexes.has(module)
  }

  /** Its index, and the bytes that the report grew by. */
  add(module: Module): { readonly index: number; readonly bytes: number } {
    const known = this.#indexes.get(module)
    if (known !== undefined) return { index: known, bytes: 0 }
    const { buildId, problem } = module
    const made = {
      path: shorten(module.path),
      ...(buildId !== undefined && { buildId }),
      start: hex(module.start),
      end: hex(module.end),
      ...(problem !== undefined && { problem: shorten(problem) }),
    }
    const index = this.#modules.push(made) - 1
    this.#indexes.set(module, index)
    return { index, bytes: jsonBytes(made) + 1 }
  }

  list(): readonly ReportModule[] {
    return this.#modules
  }
}
