import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'

const repository = new URL('../../', import.meta.url).pathname
const SOURCES = [
  'package-lock.json',
  'image/**/*.ts',
  '{apps,packages}/*/{build,src}/**/*.ts',
  '{apps,packages}/*/package.json',
]

/** The files of `npm run image`, built once for each state of the sources. */
export async function builtImage(): Promise<{
  composer: string
  root: string
  archive: string
  layout: string
}> {
  const stamp = join(repository, '.cache/image.sha256')
  const dist = join(repository, 'image/dist')
  const hash = hashOfSources()
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
    rmSync(stamp, { force: true })
    await execa('npm', ['run', '--silent', 'image'], { cwd: repository })
    mkdirSync(join(repository, '.cache'), { recursive: true })
    writeFileSync(stamp, hash)
  }
  const debian = process.arch === 'x64' ? 'amd64' : process.arch
  return {
    composer: join(dist, 'composer', process.arch, 'cdc'),
    root: join(dist, 'root', debian),
    archive: join(dist, 'image.tar'),
    layout: join(dist, 'oci'),
  }
}

function hashOfSources(): string {
  const hash = createHash('sha256')
  for (const file of globSync(SOURCES, { cwd: repository }).toSorted()) {
    hash.update(`${file}\0`).update(readFileSync(join(repository, file)))
  }
  return hash.digest('hex')
}
