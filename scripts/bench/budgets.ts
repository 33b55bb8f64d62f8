/** The budget of a figure; `least` where more is better. */
export interface Budget {
  readonly what: string
  /** Its name in the `figures` of a report. */
  readonly figure: string
  readonly unit: string
  readonly must: number
  readonly aim?: number
  readonly bound?: 'most' | 'least'
  /** Measures it: arguments of `npm run bench --`. */
  readonly command: string
}

const HALF = 'ingest half-zero 512'
const REAL = 'ingest node-heap'
/** Compression in full: limits of the time, and of the CPU of `pigz -1`. */
const FULL = { cat: [2.2, 1.5], pigz: [0.45, 0.35], cpu: [0.35] } as const
const OURS = 'upload 1024 ours 2x8 MiB'

/**
 * The budgets of the project, for 2 CPUs: ratios within one run, medians. `cat > file` is the physical
 * limit and moves by a third from run to run: judge a close call by the ratio to `pigz -1`.
 */
export const BUDGETS: readonly Budget[] = [
  ...drain('ISA-L', `${HALF} ingest deflate`, FULL),
  ...drain('zlib, in full', `${HALF} ingest deflate:engine=zlib`, {
    cat: [4.4, 3.5],
    pigz: [0.85],
  }),
  ...drain('zlib, adaptive', `${HALF} ingest adaptive:engine=zlib`, { cat: [2, 1.6] }),
  ...drain('store', `${HALF} ingest store`, { cat: [1.6] }),
  ...drain('random bytes', 'ingest random 512 ingest deflate', { cat: [1.3] }),
  ...drain('Node heap', `${REAL} ingest deflate`, FULL),
  {
    // of one way of working: the composer starts with 1.75 MiB that it only reads
    what: 'ISA-L, speed from 64 MiB to 5 GiB without the start, ± share',
    figure: 'ingest half-zero ingest deflate growth',
    unit: '',
    must: 0.1,
    command: 'ingest --sizes 64MiB,512MiB,2GiB,5GiB --modes deflate --kinds half-zero',
  },
  {
    what: 'cdh list of 1,000 bundles, local S3 server',
    figure: 'list 1000 s',
    unit: 's',
    must: 10,
    aim: 3,
    command: 'list',
  },
  ...memory('composer, RssAnon', 'ingest composer anon MiB', 40, 28, 'ingest --modes composer'),
  ...memory('composer, RSS', 'ingest composer RSS MiB', 104, 80, 'ingest --modes composer'),
  {
    what: 'crash of 1.5 MiB: process held',
    figure: 'held 1 composer ms',
    unit: 'ms',
    must: 80,
    aim: 50,
    command: 'held',
  },
  {
    what: '  through the socket',
    figure: 'held 1 receiver ms',
    unit: 'ms',
    must: 20,
    aim: 10,
    command: 'held',
  },
  {
    what: 'crash of 10 MiB to verified object',
    figure: 'arrival 10MiB median s',
    unit: 's',
    must: 1.5,
    aim: 1,
    command: 'arrival',
  },
  {
    what: '  through the socket',
    figure: 'arrival 10MiB, socket median s',
    unit: 's',
    must: 1,
    aim: 0.3,
    command: 'arrival',
  },
  {
    what: '32 crashes of 100 MiB at once: last released',
    figure: 'storm 32x100 last released s',
    unit: 's',
    must: 10,
    aim: 4,
    command: 'storm --runs 32x100',
  },
  count('  of them lost', 'storm 32x100 lost', 'storm --runs 32x100'),
  ...memory('  all composers', 'storm 32x100 peak PSS MiB', 1024, undefined, 'storm --runs 32x100'),
  ...stormBySocket('32x100', '32 crashes of 100 MiB', 10, 4),
  ...stormBySocket('500x1', '500 crashes of 1 MiB', 10, 5),
  {
    what: 'upload of 1 GiB: CPU of the best other client',
    figure: `${OURS} CPU x least`,
    unit: 'x',
    must: 1,
    command: 'upload',
  },
  {
    what: 'upload of 1 GiB: speed of the fastest other client',
    figure: `${OURS} speed x fastest`,
    unit: 'x',
    must: 0.8,
    aim: 1.1,
    bound: 'least',
    command: 'upload',
  },
  ...memory('agent uploading 5 GiB, RSS', 'agent 5120 RSS MiB', 110, 96, 'agent'),
  count('  OOM kills within 128 MiB', 'agent 5120 OOM kills', 'agent'),
]

type Limits = readonly [must: number, aim?: number]

function drain(
  what: string,
  variant: string,
  limits: { readonly cat?: Limits; readonly pigz?: Limits; readonly cpu?: Limits },
  size = '',
): Budget[] {
  const [, kind = ''] = variant.split(' ')
  const mode = variant.split(' ').at(-1)
  const command = `ingest ${size} --kinds ${kind} --modes ${mode}`.replace('  ', ' ')
  const budget = (beside: string, limit: Limits | undefined): Budget[] => {
    if (limit === undefined) return []
    const [must, aim] = limit
    const figure = `${variant} ${beside}`
    const name = `drain, ${what}: ${beside.startsWith('CPU') ? 'CPU of pigz -1' : `time of ${beside === 'x cat' ? 'cat' : 'pigz -1'}`}`
    return [{ what: name, figure, unit: 'x', must, ...(aim !== undefined && { aim }), command }]
  }
  return [
    ...budget('x cat', limits.cat),
    ...budget('x pigz', limits.pigz),
    ...budget('CPU x pigz', limits.cpu),
  ]
}

function memory(
  what: string,
  figure: string,
  must: number,
  aim: number | undefined,
  command: string,
): Budget[] {
  return [{ what, figure, unit: 'MiB', must, ...(aim !== undefined && { aim }), command }]
}

function stormBySocket(runs: string, crashes: string, must: number, aim: number): Budget[] {
  const command = `storm --runs ${runs}`
  const name = `storm ${runs} socket`
  return [
    {
      what: `${crashes} at once through the socket: last released`,
      figure: `${name} last released s`,
      unit: 's',
      must,
      aim,
      command,
    },
    count('  of them lost', `${name} lost`, command),
    ...memory('  receiver', `${name} peak PSS MiB`, 160, undefined, command),
  ]
}

function count(what: string, figure: string, command: string): Budget {
  return { what, figure, unit: '', must: 0, command }
}
