import { styleText } from 'node:util'
import { escapeName } from './escape.ts'

export type Style = Parameters<typeof styleText>[0]

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

  json(value: unknown): void {
    this.print(JSON.stringify(value, null, 2))
  }

  note(...lines: readonly string[]): void {
    this.stderr.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** Colours for a terminal only, and not with NO_COLOR. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.stdout, validateStream: true })
  }

  /** Columns as wide as their longest cell; on a terminal the last row is as long as it is. */
  table(titles: readonly string[], rows: readonly (readonly string[])[]): void {
    const cells = [titles, ...rows].map((row) => row.map(escapeName))
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
