import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { ROOT } from './set-up/root.mjs'

// changesets knows npm packages only: the chart and its image have the agent's version
const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'apps/agent/package.json'), 'utf8'))
const { version } = v.parse(v.object({ version: v.string() }), manifest)
const path = join(ROOT, 'chart/Chart.yaml')
const chart = readFileSync(path, 'utf8')
writeFileSync(path, chart.replace(/^(version|appVersion): .+$/gm, `$1: ${version}`))
