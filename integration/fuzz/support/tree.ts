import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** Files below a directory: the relative path (its bytes as latin1) to a description. */
export type Tree = ReadonlyMap<string, string>

/** The files now; no link is followed and only regular files are opened. */
export function treeOf(directory: string): Tree {
  const tree = new Map<string, string>()
  add(Buffer.from(directory), '', tree)
  return tree
}

/** Paths that are new, gone or changed. */
export function changes(before: Tree, after: Tree): string[] {
  const paths = new Set([...before.keys(), ...after.keys()])
  return [...paths].filter((path) => before.get(path) !== after.get(path))
}

function add(directory: Buffer, prefix: string, tree: Map<string, string>): void {
  for (const name of readdirSync(directory, { encoding: 'buffer' })) {
    const path = Buffer.concat([directory, Buffer.from('/'), name])
    const key = `${prefix}${name.toString('latin1')}`
    const stat = lstatSync(path)
    const mode = (stat.mode & 0o7777).toString(8)
    if (stat.isDirectory()) {
      tree.set(key, `directory ${mode}`)
      add(path, `${key}/`, tree)
    } else if (stat.isFile()) {
      const digest = createHash('sha1').update(readFileSync(path)).digest('hex')
      tree.set(key, `file ${mode} ${stat.size} ${digest}`)
    } else {
      const target = stat.isSymbolicLink() ? readlinkSync(path, { encoding: 'latin1' }) : ''
      tree.set(key, `${stat.mode >> 12} ${target}`)
    }
  }
}
