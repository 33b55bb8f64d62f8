// Writes values.schema.json, files/defaults.json and the tables of README.md and docs/settings.md.
import { writeFileSync } from 'node:fs'
import { generatedFiles } from './generated-files.ts'

for (const [path, text] of generatedFiles()) writeFileSync(path, text)
