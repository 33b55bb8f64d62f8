import { constants, type Stats } from 'node:fs'
import { lstat, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FRAME, FRAMES_MAGIC, frame, frameHeader } from '@core-dump-handler/composer'
import writeFileAtomic from 'write-file-atomic'
import type { Delivery } from './delivery.ts'

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

const PIECE_BYTES = 65_536

export const REST = /^\.(.+\.zip)\.rest$/s

/** What a composer has on the disk of the bundle `name`: nothing yet, all of it, or what the store does not have. */
export async function keptOf(
  directory: string,
  name: string,
): Promise<'nothing' | 'bundle' | 'rest'> {
  const { part, rest } = pathsOf(directory, name)
  if (await isRest(rest)) return 'rest'
  const stats = await lstat(part).catch(() => undefined)
  if (stats !== undefined && stats.size === 0) return 'nothing'
  return (await isRest(part)) ? 'rest' : 'bundle'
}

/** The file begins as what a composer leaves of an archive whose beginning the store has. */
export async function isRest(path: string): Promise<boolean> {
  try {
    await using file = await open(path, FLAGS)
    const magic = Buffer.alloc(FRAMES_MAGIC.length)
    await file.read(magic, 0, magic.length, 0)
    return magic.toString() === FRAMES_MAGIC
  } catch {
    return false
  }
}

/** The composer has died over it: from now on the agent's. Resolves with its new name; undefined: it is no such file. */
export async function adoptRest(directory: string, part: string): Promise<string | undefined> {
  if (!(await isRest(join(directory, part)))) return undefined
  const name = part.replace(/\.part$/, '.rest')
  await rename(join(directory, part), join(directory, name))
  return name
}

/** What the store does not have of an archive whose composer is dead, before it can be lost with us, too. */
export async function writeRest(
  directory: string,
  { hello, sound, writer }: Delivery,
): Promise<void> {
  if (hello === undefined || writer === undefined) return
  const { resume: _, ...facts } = hello
  const chunks: Uint8Array[] = [
    Buffer.from(FRAMES_MAGIC),
    frame(FRAME.hello, JSON.stringify({ ...facts, ...(writer.state && { resume: writer.state }) })),
    ...(sound === undefined ? [] : [frame(FRAME.boundary, JSON.stringify(sound))]),
  ]
  let room = sound === undefined ? Infinity : sound.position - writer.confirmedBytes
  for (const bytes of writer.unconfirmed()) {
    for (let at = 0; at < bytes.length && room > 0; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + Math.min(PIECE_BYTES, room))
      room -= piece.length
      chunks.push(frameHeader(FRAME.data, piece.length), piece)
    }
  }
  const { part, rest } = pathsOf(directory, hello.name)
  await writeFileAtomic(rest, Buffer.concat(chunks), { mode: 0o600 })
  await dropEmpty(part)
}

/** The name that a composer keeps for what it may have to write: of a bundle that is in the store. */
export async function dropPart(directory: string, name: string): Promise<void> {
  await dropEmpty(pathsOf(directory, name).part)
}

async function dropEmpty(path: string): Promise<void> {
  const stats: Stats | undefined = await lstat(path).catch(() => undefined)
  if (stats?.size === 0) await unlink(path).catch(() => {})
}

function pathsOf(
  directory: string,
  name: string,
): { readonly part: string; readonly rest: string } {
  return { part: join(directory, `.${name}.zip.part`), rest: join(directory, `.${name}.zip.rest`) }
}
