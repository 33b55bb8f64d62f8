import { parseArgs } from 'node:util'
import { list, mebibytes, positiveInteger } from '@core-dump-handler/testing/bench/parse'
import { COMMON_OPTIONS, COMMON_USAGE } from '@core-dump-handler/testing/bench/publish'

export const USAGE = `Usage: npm run bench -- upload [options]

CPU, memory and time of an upload to an S3 server on this machine, compared with other clients.

  --size SIZE      of the file, such as 512MiB or 5GiB (default 1GiB)
  --rounds N       runs of each client (default 3)
  --warm-up N      rounds before them that do not count (default 1)
  --ours LIST      workers x MiB of a part; 2x8 is the default of the product (default 2x8,4x16)
  --peers LIST     rclone, aws, s5cmd, or none (default rclone,aws,s5cmd)
${COMMON_USAGE}`

export interface UploadBenchOptions {
  readonly mib: number
  readonly rounds: number
  readonly warmUp: number
  readonly ours: readonly string[]
  readonly peers: readonly string[]
  readonly json: boolean
  readonly report: string | undefined
  readonly help: boolean
}

export function parseOptions(args: readonly string[]): UploadBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...COMMON_OPTIONS,
      size: { type: 'string', default: '1GiB' },
      rounds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '1' },
      ours: { type: 'string', default: '2x8,4x16' },
      peers: { type: 'string', default: 'rclone,aws,s5cmd' },
    },
  })
  const { size, rounds, ours, peers, 'warm-up': warmUp } = values
  return {
    ...values,
    mib: mebibytes('--size', size),
    rounds: positiveInteger('--rounds', rounds),
    warmUp: warmUp === '0' ? 0 : positiveInteger('--warm-up', warmUp),
    ours: list(ours),
    peers: peers === 'none' ? [] : list(peers),
    report: values.report,
  }
}
