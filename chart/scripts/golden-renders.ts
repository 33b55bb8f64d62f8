import { join } from 'node:path'
import { LEAST, render } from './helm.ts'
import { CHART, presetFile, presets } from './presets.ts'

const EVERYTHING = join(CHART, 'tests/values/everything.yaml')
const VERSION_9 = join(CHART, 'tests/values/version-9.yaml')
const REGISTRY = LEAST.filter((pair) => pair.startsWith('image.'))

/** File name and fresh text of each golden render: one per preset, and three of our own. */
export async function goldenRenders(): Promise<ReadonlyMap<string, string>> {
  const jobs: [name: string, text: Promise<string>][] = [
    ['default', render()],
    ['everything', render({ files: [EVERYTHING], set: REGISTRY })],
    ['version-9', render({ files: [VERSION_9], set: REGISTRY })],
    ...presets().map((name): [string, Promise<string>] => [
      `preset.${name}`,
      render({ files: [presetFile(name)] }),
    ]),
  ]
  return new Map(
    await Promise.all(
      jobs.map(async ([name, text]): Promise<[string, string]> => [`${name}.yaml`, await text]),
    ),
  )
}

export const GOLDEN: string = join(CHART, 'tests/golden')
