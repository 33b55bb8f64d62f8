import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertJson, assertLog, promised } from './promises.ts'
import { changes, treeOf, type Tree } from './tree.ts'

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
// what a composer may write; names of bundles are checked where bundles are
const ALLOWED = new RegExp(
  `^node/a/b/c/(${[
    'cores',
    'cores/[^/]+\\.zip',
    'home/composer\\.log(\\.1)?',
    'home/(events|fingerprints|gate|rate)',
    `home/events/${UUID}-event\\.json`,
    // a workload's key: a uid or an id, and numbers
    'home/rate/[0-9a-z-]+(\\.json)?',
    'home/fingerprints/[0-9a-f]{24}-[0-9]+-[0-9]+',
  ].join('|')})$`,
  's',
)

/** A node's directories, deep enough that what climbs out of them is still seen. */
export class ScratchNode {
  readonly root: string
  readonly home: string
  readonly cores: string
  readonly cwd: string
  readonly #before: Tree

  constructor(root: string, prepare: (node: { readonly home: string }) => void = () => {}) {
    this.root = root
    const place = join(root, 'node/a/b/c')
    this.home = join(place, 'home')
    this.cores = join(place, 'cores')
    this.cwd = join(place, 'cwd')
    for (const each of [this.home, this.cwd, join(root, 'outside')]) {
      mkdirSync(each, { recursive: true })
    }
    writeFileSync(join(root, 'outside/precious'), 'kept')
    prepare(this)
    this.#before = treeOf(root)
  }

  get env(): Record<string, string> {
    return {
      COMPOSER_HOME: this.home,
      CORE_DIR: this.cores,
      EVENT_DIRECTORY: join(this.home, 'events'),
    }
  }

  /** Bundles, each with its path; nothing unfinished may lie beside them. */
  bundles(): string[] {
    const names = readdirSync(this.cores)
    const others = names.filter((name) => name.startsWith('.') || !name.endsWith('.zip'))
    promised(others.length === 0, () => `left in CORE_DIR: ${JSON.stringify(others)}`)
    return names.map((name) => join(this.cores, name))
  }

  /** Nothing was written where nothing may be, the log and the events are what they should be. */
  check(): void {
    const strange = changes(this.#before, treeOf(this.root)).filter((path) => !ALLOWED.test(path))
    promised(strange.length === 0, () => `written elsewhere: ${JSON.stringify(strange)}`)
    for (const name of readdirSync(this.home)) {
      if (name.startsWith('composer.log')) assertLog(readFileSync(join(this.home, name), 'utf8'))
    }
    for (const event of list(join(this.home, 'events'))) assertJson(event, 'an event')
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'))
  } catch {
    return []
  }
}
