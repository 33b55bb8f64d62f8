import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openContainerLog } from '@core-dump-handler/cri'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const OUTSIDE = 'kept outside of the log'
const TIME = '2026-11-23T05:57:01.123456789Z'
const MAX_BYTES = 200_000
const MAX_LINES = 20

export const containerLogs: Target = {
  name: 'container-logs',
  what: 'log files in the format of CRI and of docker, and what lies in their place',
  begin() {
    return {
      async round(random, directory) {
        const id = random.bytes(32).toString('hex')
        const path = join(directory, 'pods/shop_web_uid/main/0.log')
        const docker = join(directory, `docker/containers/${id}/${id}-json.log`)
        for (const file of [path, docker]) mkdirSync(dirname(file), { recursive: true })
        writeFileSync(join(directory, 'outside'), `${OUTSIDE}\n`)

        const lines = random.times(random.below(random.pick([3, 40, 3000])), () => lineOf(random))
        const isDocker = random.once(2)
        const written = Buffer.from(lines.map((line) => recordsOf(random, line, isDocker)).join(''))
        const isSound = random.once(2)
        const content = isSound ? written : mutate(random, written)
        if (isDocker) symlinkSync(docker, path)
        writeFileSync(isDocker ? docker : path, content)
        const isReplaced = random.once(6)
        if (isReplaced) replace(random, isDocker ? docker : path, join(directory, 'outside'))

        const wanted = random.below(MAX_LINES)
        const tail = await tailOf(path, id, wanted)
        if (tail === undefined) {
          promised(isReplaced, () => 'a regular file was not read')
          return
        }
        const describe = (): string => `of ${wanted} lines: ${tail.slice(-500)}`
        promised(!tail.includes(OUTSIDE), () => 'a file outside of the log was read')
        promised(tail.length <= MAX_BYTES + MAX_LINES, () => `${tail.length} bytes were kept`)
        promised(tail === '' || tail.endsWith('\n'), describe)
        if (!isSound || isReplaced || content.length > MAX_BYTES) return
        const expected = wanted === 0 ? [] : lines.slice(-wanted)
        promised(tail === expected.map((line) => `${line}\n`).join(''), describe)
      },
    }
  },
}

async function tailOf(path: string, id: string, lines: number): Promise<string | undefined> {
  try {
    const log = await openContainerLog(path, { maxBytes: MAX_BYTES, containerId: id })
    try {
      return (await log.tail(lines)).bytes.toString('latin1')
    } finally {
      await log.close()
    }
  } catch (error) {
    promised(error instanceof Error, () => `${String(error)} was thrown`)
    return undefined
  }
}

/** A line in latin1, as it is compared. */
function lineOf(random: Random): string {
  const line = text(random).replaceAll('\n', ' ').toWellFormed()
  return Buffer.from(random.once(30) ? line.repeat(500) : line).toString('latin1')
}

/** The records of a line, some of it in parts. */
function recordsOf(random: Random, latin1: string, isDocker: boolean): string {
  const line = Buffer.from(latin1, 'latin1').toString()
  const stream = random.pick(['stdout', 'stderr'])
  const characters = Array.from(line)
  const cut = random.once(4) ? random.below(characters.length + 1) : 0
  const parts = [characters.slice(0, cut).join(''), characters.slice(cut).join('')]
  return parts
    .slice(cut === 0 ? 1 : 0)
    .map((part, index, all) => {
      const isLast = index === all.length - 1
      return isDocker
        ? `${JSON.stringify({ log: isLast ? `${part}\n` : part, stream, time: TIME })}\n`
        : `${TIME} ${stream} ${isLast ? 'F' : 'P'} ${part}\n`
    })
    .join('')
}

function replace(random: Random, path: string, outside: string): void {
  rmSync(path)
  const place = random.below(3)
  if (place === 0) symlinkSync(outside, path)
  else if (place === 1) mkdirSync(path)
}
