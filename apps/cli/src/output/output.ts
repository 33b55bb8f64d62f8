import { styleText } from 'node:util'

const MAX_SHOWN_CHARACTERS = 300
/** A namespace, a pod and a container may have 63 characters each. */
const MAX_CELL_CHARACTERS = 200
// what moves a cursor, ends a line or changes the direction of the text around it, and broken text
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu
const UNSAFE_IN_TEXT = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu

type Style = Parameters<typeof styleText>[0]

/** A stream of the process, or of a test. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** What a command prints: its result to `stdout`, everything about its course to `stderr`. */
export class Output {
  readonly stdout: OutputStream
  readonly stderr: OutputStream

  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.stdout = stdout
    this.stderr = stderr
  }

  /** Lines that are already harmless. */
  print(...lines: readonly string[]): void {
    this.stdout.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** One JSON document. What the terminal would interpret is written as escapes of JSON. */
  json(value: unknown): void {
    this.print(JSON.stringify(value, null, 2).replaceAll(UNSAFE_IN_TEXT, escapedForJson))
  }

  note(...lines: readonly string[]): void {
    this.stderr.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** Colours for a terminal only, and not with NO_COLOR. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.stdout, validateStream: true })
  }

  /** Columns as wide as their longest cell, of which 200 characters are shown. */
  table(titles: readonly string[], rows: readonly (readonly string[])[]): void {
    const cells = [titles, ...rows].map((row) =>
      row.map((cell) => cutText(escapeName(cell), MAX_CELL_CHARACTERS)),
    )
    const widths = titles.map((_, column) =>
      Math.max(...cells.map((row) => (row[column] ?? '').length)),
    )
    const lines = cells.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    const [head = '', ...body] = lines
    this.print(this.style('bold', head), ...body)
  }
}

/** A name from a bundle or a store on one line: crashed programs chose it. */
export function escapeName(text: string): string {
  return text.replaceAll(UNSAFE, escaped)
}

/** A text of several lines; its line feeds and tabs stay. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAFE_IN_TEXT, escaped)
}

/** A name for a message: back-ticked, on one line, at most 300 characters. */
export function show(text: string): string {
  return `\`${escapeName(cutText(text, MAX_SHOWN_CHARACTERS))}\``
}

/** At most `maxCharacters` of it, with `…` in place of the rest. */
export function cutText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  return `${text.slice(0, Math.max(0, maxCharacters - 1)).toWellFormed()}…`
}

function escapedForJson(character: string): string {
  return [...Array(character.length).keys()]
    .map((unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`)
    .join('')
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
