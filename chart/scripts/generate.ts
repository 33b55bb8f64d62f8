// Writes values.schema.json and the table in README.md from the annotations in values.yaml.
import { writeFileSync } from 'node:fs'
import { generatedFiles } from './generated-files.ts'

for (const [path, text] of generatedFiles()) writeFileSync(path, text)
