import { writeFileSync } from 'node:fs'
import { faultMatrix } from './matrix.ts'

writeFileSync(new URL('../faults.md', import.meta.url), faultMatrix())
