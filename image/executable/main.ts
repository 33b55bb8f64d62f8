import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { main } from '../../apps/composer/src/cli.ts'

// one Node serves all programs of the image: agent and receiver are the same file under their own names
const program = /^core-dump-(agent|receiver)$/.exec(basename(process.argv0))?.[1]
if (program !== undefined) {
  void import(pathToFileURL(join(dirname(process.execPath), `${program}/dist/cli.mjs`)).href)
} else {
  void main()
}
