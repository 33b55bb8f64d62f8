import { budgetTable, judge } from './bench/judge.ts'
import { machine, machineLine } from '@core-dump-handler/testing/bench/machine'
import { PROGRAMS, runProgram, WHOLE_SET, type Ran } from './bench/run-program.ts'

const USAGE = `Usage: npm run bench [-- NAME [options of its program]]

Without a NAME: the most important figures, in less than five minutes on two CPUs, and the budget of
each. What needs root or a missing program is left out and named.

  --json           one JSON document on standard output: every report, and the budgets
  --help           print this text

Programs, each with options of its own (\`npm run bench -- NAME --help\`), --json and --report FILE:

  ${[...PROGRAMS.keys()].join(', ')}

The whole set is:

${WHOLE_SET.map((command) => `  npm run bench -- ${command}`).join('\n')}
`

const [first = '', ...rest] = process.argv.slice(2)

if (PROGRAMS.has(first)) {
  process.exitCode = await one(first, rest)
} else if (first === '' || (first === '--json' && rest.length === 0)) {
  process.exitCode = await wholeSet(first === '--json')
} else {
  const asked = first === '--help' || first === '-h'
  if (!asked) process.stderr.write(`No such benchmark: ${first}\n\n`)
  process[asked ? 'stdout' : 'stderr'].write(USAGE)
  process.exitCode = asked ? 0 : 2
}

/** One program and, of the budgets, those that it measures. */
async function one(name: string, args: readonly string[]): Promise<number> {
  const { exitCode, report } = await runProgram(name, args, { quiet: false })
  const judged = judge(report?.figures ?? {}).filter(({ value }) => value !== undefined)
  if (judged.length > 0 && !args.includes('--json')) process.stdout.write(budgetTable(judged))
  return exitCode
}

/** One after another: they would disturb each other. A program that fails is named, the others run. */
async function wholeSet(json: boolean): Promise<number> {
  const programs: Ran[] = []
  for (const command of WHOLE_SET) {
    const [name = '', ...args] = command.split(' ')
    const ran = await runProgram(name, args, { quiet: json })
    programs.push(ran)
    // an interrupt of one program ends the whole set
    if (ran.exitCode >= 128) return ran.exitCode
  }
  const figures = Object.assign({}, ...programs.map(({ report }) => report?.figures ?? {}))
  const budgets = judge(figures)
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine: machine(), programs, budgets })}\n`)
  } else {
    const seconds = programs.reduce((sum, each) => sum + each.seconds, 0)
    process.stdout.write(`\n${machineLine(machine())}; ${seconds.toFixed(0)} s\n`)
    process.stdout.write(budgetTable(budgets))
    const missing = new Set(programs.flatMap(({ report }) => report?.missing ?? []))
    for (const line of missing) process.stdout.write(`left out: ${line}\n`)
  }
  const failed = programs.filter(({ exitCode }) => exitCode !== 0)
  for (const { name } of failed) process.stderr.write(`failed: ${name}\n`)
  return failed.length === 0 ? 0 : 1
}
