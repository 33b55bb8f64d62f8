import type { Module } from '../modules/module.ts'
import type { Budget } from '../unwind/budget.ts'
import { lookupAddress, type Frame } from '../unwind/frame.ts'
import { findSymbols } from './symbol-table.ts'

/** Gives frames the names of their functions, module by module; raw names, as compilers made them. */
export function nameFrames(frames: readonly Frame[], budget: Budget): void {
  const byModule = new Map<Module, Frame[]>()
  for (const frame of frames) {
    if (frame.module === undefined || frame.symbol !== undefined) continue
    const known = byModule.get(frame.module)
    if (known) known.push(frame)
    else byModule.set(frame.module, [frame])
  }
  for (const [module, found] of byModule) nameFramesOf(module, found, budget)
}

function nameFramesOf(module: Module, frames: readonly Frame[], budget: Budget): void {
  const { elf, go } = module
  if (elf === undefined) return
  const symbols = findSymbols(elf, frames.map(lookup), budget)
  for (const frame of frames) {
    const address = lookup(frame)
    const func = symbols.get(address) ?? goName(go?.find(address))
    if (func === undefined || frame.vaddr === undefined) continue
    frame.symbol = func.name
    frame.plus = frame.vaddr - func.value
  }
}

function lookup(frame: Frame): number {
  return lookupAddress(frame, frame.vaddr ?? NaN)
}

function goName(
  func: { readonly name: string; readonly start: number } | undefined,
): { readonly name: string; readonly value: number } | undefined {
  return func === undefined || func.name === '' ? undefined : { name: func.name, value: func.start }
}
