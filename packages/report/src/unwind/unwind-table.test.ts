import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, realpathSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { missingTools } from '@core-dump-handler/testing/report/programs'
import { describe, expect, it } from 'vitest'
import { BlockCache, fileSource } from '../elf/byte-source.ts'
import { ElfFile } from '../elf/elf-file.ts'
import { Budget } from './budget.ts'
import { createFrameIndex } from './frame-index.ts'
import { unwindRowAt, type RegisterRule, type UnwindRow } from './unwind-row.ts'

const missing = missingTools('readelf')
const REGISTERS = 'rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra'.split(' ')
const LIBRARIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64']

/** One line of readelf: what holds from an address on. */
interface Row {
  readonly start: number
  /** Behind the last address for which it holds. */
  readonly end: number
  readonly columns: Readonly<Record<string, string>>
}

/** Every row of every unwind table of a file, as binutils interprets it. */
async function* readelfRows(path: string): AsyncGenerator<Row> {
  const child = spawn('readelf', ['--debug-dump=frames-interp', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let names: string[] = []
  let end = 0
  let row: { start: number; columns: Record<string, string> } | undefined
  for await (const line of createInterface(child.stdout)) {
    const range = /FDE .*pc=[0-9a-f]+\.\.([0-9a-f]+)$/.exec(line)
    const isCommon = / CIE /.test(line)
    const values = /^([0-9a-f]{16}) (.*)$/.exec(line)
    if (range !== null || isCommon) {
      if (row) yield { ...row, end }
      row = undefined
      end = range === null ? 0 : Number.parseInt(range[1] ?? '', 16)
    } else if (line.startsWith('   LOC')) {
      names = line.trim().split(/\s+/).slice(1)
    } else if (values !== null && end > 0) {
      const start = Number.parseInt(values[1] ?? '', 16)
      if (row && start > row.start) yield { ...row, end: start }
      // a register is written with its name behind its number
      const cells = (values[2] ?? '')
        .replaceAll(/(r\d+) \(\w+\)/g, '$1')
        .trim()
        .split(/\s+/)
      row = { start, columns: Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ''])) }
    }
  }
  if (row) yield { ...row, end }
}

/** Our row, as readelf writes it. */
function written(row: UnwindRow, names: readonly string[]): Record<string, string> {
  const { frameAddress } = row
  const cfa =
    'register' in frameAddress
      ? `${REGISTERS[frameAddress.register]}${sign(frameAddress.offset)}`
      : 'exp'
  const rules = names
    .filter((name) => name !== 'CFA')
    .map((name) => [name, writtenRule(row.rules.get(REGISTERS.indexOf(name)))])
  return { CFA: cfa, ...Object.fromEntries(rules) }
}

function writtenRule(rule: RegisterRule | undefined): string {
  switch (rule?.kind) {
    case undefined:
    case 'undefined':
      return 'u'
    case 'same':
      return 's'
    case 'at':
      return `c${sign(rule.offset)}`
    case 'is':
      return `v${sign(rule.offset)}`
    case 'register':
      return `r${rule.register}`
    case 'atExpression':
      return 'exp'
    default:
      return 'vexp'
  }
}

function sign(offset: number): string {
  return offset < 0 ? String(offset) : `+${offset}`
}

function find(pattern: RegExp): string | undefined {
  for (const directory of LIBRARIES) {
    try {
      const name = readdirSync(directory).find((entry) => pattern.test(entry))
      if (name !== undefined) return realpathSync(`${directory}/${name}`)
    } catch {
      // not on this machine
    }
  }
  return undefined
}

const SLOW = { timeout: 240_000 }
const FILES = [
  { name: 'libc', path: find(/^libc\.so\.6$/), least: 10_000 },
  { name: 'libstdc++', path: find(/^libstdc\+\+\.so\.6$/), least: 10_000 },
  { name: 'node', path: realpathSync(process.execPath), least: 100_000 },
]

describe.skipIf(missing !== undefined || process.arch !== 'x64')(
  `unwind tables${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    it.for(FILES)(
      'of $name are read as readelf reads them, every row',
      SLOW,
      async ({ path, least }) => {
        const file = path ?? ''
        const fd = openSync(file, 'r')
        const elf = ElfFile.open(fileSource(fd, new BlockCache()))
        const index = elf && createFrameIndex(elf)
        const budget = new Budget({ timeoutMs: 300_000, maxWork: Infinity })
        const different: unknown[] = []
        let rows = 0
        for await (const { start, end, columns } of readelfRows(file)) {
          if (end <= start) continue
          rows++
          for (const vaddr of new Set([start, end - 1])) {
            const description = index?.find(vaddr, budget)
            const row = description && unwindRowAt(description, vaddr, budget)
            const ours = row && written(row, Object.keys(columns))
            const isSame = JSON.stringify(ours) === JSON.stringify(columns)
            if (!isSame && different.length < 5)
              different.push({ vaddr: vaddr.toString(16), columns, ours })
          }
        }
        closeSync(fd)
        expect(different).toEqual([])
        expect(rows).toBeGreaterThan(least)
      },
    )
  },
)
