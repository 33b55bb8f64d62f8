import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { main } from '../../apps/composer/src/cli.ts'

// one Node serves both programs of the image: the agent is the same file under its own name
if (basename(process.argv0) === 'core-dump-agent') {
  void import(pathToFileURL(join(dirname(process.execPath), 'agent/dist/cli.mjs')).href)
} else {
  void main()
}
