import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './set-up/root.mjs'

const DOCUMENTS = globSync(
  [
    '*.md',
    'docs/**/*.md',
    'integration/**/*.md',
    'chart/*.md',
    'image/*.md',
    '{packages,apps}/*/*.md',
    '{packages,apps}/*/bench/*.md',
  ],
  { cwd: ROOT },
)

test.for(DOCUMENTS)('%s links only to what exists', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8')
  const links = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, link]) => link!)
  const broken = links.filter((link) => !existsSync(join(ROOT, dirname(document), link)))
  expect(broken).toEqual([])
})
