import { readdirSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { nameOfPartFile } from '@core-dump-handler/bundle'

const FDS = '/proc/self/fd'

/** Names of the unfinished bundles that this process has open. */
export function openParts(): readonly string[] {
  return readdirSync(FDS).flatMap((fd) => {
    try {
      const name = basename(readlinkSync(`${FDS}/${fd}`))
      return nameOfPartFile(name) === undefined ? [] : [name]
    } catch {
      return [] // closed meanwhile
    }
  })
}
