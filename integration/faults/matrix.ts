import { readFileSync } from 'node:fs'
import { MORE_ANCESTRAL_BUGS } from './ancestral-bugs-more.ts'
import { ANCESTRAL_BUGS } from './ancestral-bugs.ts'
import { AGENT_FAULTS } from './agent.ts'
import { COMPOSER_FAULTS } from './composer.ts'
import { IDENTITY_FAULTS } from './identity.ts'
import { LEFT_OVERS } from './left-overs.ts'
import { NODE_FAULTS } from './node.ts'
import { NOT_TESTED } from './not-tested.ts'
import { RECOMPRESS } from './recompress.ts'
import type { FaultRow, FaultSection } from './row.ts'
import { describeSeen, type SeenTests, seenTests } from './seen.ts'
import { SECURITY } from './security.ts'
import { STORE_FAULTS } from './store.ts'
import { STORM_FAULTS } from './storm.ts'

/** In the order of the way of a crash, then what others have met before us. */
export const SECTIONS: readonly FaultSection[] = [
  COMPOSER_FAULTS,
  STORM_FAULTS,
  LEFT_OVERS,
  RECOMPRESS,
  IDENTITY_FAULTS,
  AGENT_FAULTS,
  STORE_FAULTS,
  NODE_FAULTS,
  SECURITY,
  ANCESTRAL_BUGS,
  MORE_ANCESTRAL_BUGS,
]

interface IdentityRun {
  readonly seed: number
  readonly crashes: number
  readonly pods: number
  readonly verified: number
  readonly unverified: number
  readonly host: number
  readonly wrong: number
  readonly kinds: Readonly<Record<string, Omit<IdentityRun, 'seed' | 'crashes' | 'pods' | 'kinds'>>>
}

/** `integration/faults.md`. */
export function faultMatrix(): string {
  const rows = SECTIONS.reduce((sum, section) => sum + section.rows.length, 0)
  return [
    '# What fails, and what becomes of the crash',
    '',
    `${rows} faults. Each row names the tests that hold us to it, and tells how they last ran. \`faults.test.ts\` sees that they exist, that none was seen to fail, and that this page is what \`node integration/faults/write.ts\` prints from \`integration/faults/\`; given the reports of \`npm test -- --report DIR\`, it takes \`seen\` from them.`,
    ...SECTIONS.flatMap((section) => table(section, seenTests())),
    ...identityRun(),
    '',
    '## Not tested',
    '',
    ...NOT_TESTED.map((each) => `- ${each}`),
    '',
  ].join('\n')
}

function table({ title, rows }: FaultSection, seen: SeenTests): string[] {
  return [
    '',
    `## ${title}`,
    '',
    '| id | what fails | when | promised | asserted | seen | test |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => line(row, describeSeen(row.tests, seen) ?? 'not yet')),
  ]
}

function line({ id, fails, when, promised, asserted, tests }: FaultRow, seen: string): string {
  const links = tests.map((test) => {
    const [file = '', name = ''] = test.split(' › ')
    const target = file.startsWith('integration/')
      ? file.slice('integration/'.length)
      : `../${file}`
    return `[${escape(name)}](${target})`
  })
  return `| ${[id, fails, when, promised, asserted, seen].map(escape).join(' | ')} | ${links.join('<br>')} |`
}

function escape(text: string): string {
  return text.replaceAll(/[|<>[\]]/g, (character) => `\\${character}`)
}

function identityRun(): string[] {
  const path = new URL('identity-run.json', import.meta.url)
  const run = JSON.parse(readFileSync(path, 'utf8')) as IdentityRun
  return [
    '',
    '## The longest run of crashes under attack',
    '',
    `\`IDENTITY_CRASHES=${run.crashes} npx vitest run --config integration/vitest.config.ts identity-run\`, seed ${run.seed}: ${run.crashes} crashes in ${run.pods} pods and those made for one crash, containerd restarted in every third batch of 25: what it could not be asked then is unverified. (\`npm run fuzz -- --target identity --seconds 1800\` goes on for as long as one likes, with any seed.) Wrong owner: ${run.wrong}. Verified: ${run.verified}, unverified: ${run.unverified}, taken for the host: ${run.host}, lost: ${run.crashes - run.verified - run.unverified - run.host}.`,
    '',
    '| process | verified | unverified | wrong |',
    '| --- | --: | --: | --: |',
    ...Object.entries(run.kinds).map(
      ([kind, { verified, unverified, wrong }]) =>
        `| ${kind} | ${verified} | ${unverified} | ${wrong} |`,
    ),
  ]
}
