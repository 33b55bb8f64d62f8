import { Warnings } from '@core-dump-handler/capture'
import { parseComposerSettings } from '@core-dump-handler/capture/settings'
import { describe, expect, test } from 'vitest'
import { parseArguments } from './arguments.ts'
import { outputDirectory } from './run.ts'

function directory(byKernel: boolean, coreDir: string, ...words: string[]): [string, number] {
  const warnings = new Warnings()
  const { settings } = parseComposerSettings({ CORE_DIR: coreDir })
  const args = parseArguments(words.map((word) => Buffer.from(word)))
  return [outputDirectory(args, settings, byKernel, warnings), warnings.list.length]
}

describe('outputDirectory', () => {
  test('is -d, else CORE_DIR, else the working directory', () => {
    expect(directory(false, '/cores', '-d=/given')).toEqual(['/given', 0])
    expect(directory(false, '/cores')).toEqual(['/cores', 0])
    expect(directory(false, '')).toEqual([process.cwd(), 0])
  })

  test('is CORE_DIR, where it is set, whatever the command line of the kernel has', () => {
    expect(directory(true, '/cores', '-d=/etc')).toEqual(['/cores', 1])
    expect(directory(true, '/cores', '-d=/cores/')).toEqual(['/cores', 0])
    expect(directory(true, '', '-d=/given')).toEqual(['/given', 0])
  })
})
