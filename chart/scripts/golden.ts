// Renders the chart with every preset into tests/golden; read the difference before you commit it.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GOLDEN, goldenRenders } from './golden-renders.ts'

const renders = await goldenRenders()
await rm(GOLDEN, { recursive: true, force: true })
await mkdir(GOLDEN, { recursive: true })
for (const [file, text] of renders) await writeFile(join(GOLDEN, file), text)
