import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { main } from '../../apps/composer/src/cli.ts'

// one Node serves both programs of the image: the agent is the same file under its own name
if (basename(process.argv0) === 'core-dump-agent') {
  createRequire(process.execPath)(join(dirname(process.execPath), 'agent.cjs'))
} else {
  void main()
}
