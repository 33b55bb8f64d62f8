import type { SegmentTable } from '../core/segment-table.ts'
import { PF_R, PF_X } from '../elf/elf-header.ts'
import type { Module } from '../modules/module.ts'
import type { Piece } from './piece.ts'

const NOTHING = Buffer.alloc(0)

/**
 * Where the code of the modules was, without its bytes, as in a core of the kernel: a reader of the minicore
 * knows by it which files are modules. `pieces` are in order of address, and stay free of overlaps.
 */
export function codeRanges(
  modules: readonly Module[],
  segments: SegmentTable,
  pieces: readonly Piece[],
): Piece[] {
  return modules
    .flatMap(({ mappings }) => mappings.filter(({ start }) => segments.isExecutable(start)))
    .flatMap(({ start, end }) => {
      const ranges: Piece[] = []
      let from = start
      const add = (to: number): void => {
        if (to <= from) return
        ranges.push({ vaddr: from, bytes: NOTHING, memoryBytes: to - from, flags: PF_R | PF_X })
      }
      for (const { vaddr, bytes } of pieces) {
        if (vaddr + bytes.length <= start || vaddr >= end) continue
        add(vaddr)
        from = Math.max(from, vaddr + bytes.length)
      }
      add(end)
      return ranges
    })
}
