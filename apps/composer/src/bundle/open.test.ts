import { expect, test } from 'vitest'
import { parseArguments } from '../arguments/parse.ts'
import { Problems } from '../log/problems.ts'
import { parseComposerSettings } from '../settings/parse.ts'
import type { Task } from '../task.ts'
import { outputDirectory } from './open.ts'

function directory(byKernel: boolean, coreDir: string, ...words: string[]): [string, number] {
  const problems = new Problems(() => {})
  const { settings } = parseComposerSettings({ CORE_DIR: coreDir })
  const args = parseArguments(words.map((word) => Buffer.from(word)))
  const task = { args, settings, byKernel, problems } as unknown as Task
  return [outputDirectory(task), problems.list.length]
}

test('goes by -d, then CORE_DIR, then the working directory', () => {
  expect(directory(false, '/cores', '-d=/given')).toEqual(['/given', 0])
  expect(directory(false, '/cores')).toEqual(['/cores', 0])
  expect(directory(false, '')).toEqual([process.cwd(), 0])
})

test('takes no directory from a command line of the kernel where CORE_DIR is set', () => {
  expect(directory(true, '/cores', '-e=x', '-d=/etc')).toEqual(['/cores', 1])
  expect(directory(true, '/cores', '-d=/cores/')).toEqual(['/cores', 0])
  expect(directory(true, '', '-d=/given')).toEqual(['/given', 0])
})
