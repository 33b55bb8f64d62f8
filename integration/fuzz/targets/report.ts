import { fuzzCrash, fuzzFingerprint } from '@core-dump-handler/testing/report/fuzz-report'
import type { Target } from '../support/target.ts'

export const report: Target = {
  name: 'report',
  what: 'report and minicore, of crashes whose headers, notes, tables, names and memory lie',
  begin() {
    return {
      async round(random, directory) {
        fuzzCrash(random, directory)
        fuzzFingerprint(random)
      },
    }
  },
}
