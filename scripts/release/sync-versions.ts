import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../set-up/root.mjs'

// changesets knows packages only: the chart and the image it names go in step with the agent
const { version } = JSON.parse(readFileSync(join(ROOT, 'apps/agent/package.json'), 'utf8')) as {
  version: string
}
const path = join(ROOT, 'chart/Chart.yaml')
const chart = readFileSync(path, 'utf8')
writeFileSync(path, chart.replace(/^(version|appVersion): .+$/gm, `$1: ${version}`))
