import type { Target } from '../support/target.ts'
import { argv } from './argv.ts'
import { elf } from './elf.ts'
import { envFile } from './env-file.ts'
import { names } from './names.ts'

/** In the order of the way of a crash. */
export const TARGETS: readonly Target[] = [argv, envFile, elf, names]
