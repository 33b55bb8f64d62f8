import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { isSysctlError, renewBackup, restore, takeOver } from '@core-dump-handler/sysctl'
import type { Random } from '../generate/random.ts'
import { text, word } from '../generate/text.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'
import { changes, treeOf } from '../support/tree.ts'

const OURS = '|/var/mnt/core-dump-handler/cdc -e=%e'
const VALUES = { 'fs.suid_dumpable': '2', 'kernel.core_pattern': OURS }
const KEYS = Object.keys(VALUES)

export const backups: Target = {
  name: 'backups',
  what: 'backups of sysctls, and the values found',
  begin() {
    return {
      async round(random, directory) {
        const [root, backupDir] = [join(directory, 'sys'), join(directory, 'backups')]
        for (const each of ['sys/kernel', 'sys/fs', 'backups', 'earlier']) {
          mkdirSync(join(directory, each), { recursive: true })
        }
        writeFileSync(join(directory, 'outside'), 'kept')
        const path = join(root, 'kernel/core_pattern')
        const found = random.once(2) ? Buffer.from(OURS) : word(random, 127)
        writeFileSync(path, found)
        writeFileSync(join(root, 'fs/suid_dumpable'), random.pick(['0\n', '1', '', 'x']))
        for (const dir of ['backups', 'earlier']) {
          if (random.once(2)) leaveBackup(random, join(directory, dir), directory)
        }
        const before = treeOf(directory)
        const options = { root, backupDir, isOurs, isBackup }
        let expected: string | undefined
        const earlierBackupDirs = [join(directory, 'earlier')]
        if (random.once(2)) expected = await taken({ ...options, earlierBackupDirs })
        if (random.once(3)) expected = (await renewed(word(random, 200), options)) ?? expected

        const fallbacks = { 'kernel.core_pattern': 'core', 'fs.suid_dumpable': '0' }
        const results = await restore(KEYS, { ...options, fallbacks })
        promised(results.length === KEYS.length, () => `${results.length} outcomes`)
        const pattern = readFileSync(path)
        const fit = pattern.length <= 128 && !/\n./s.test(String(pattern))
        promised(pattern.equals(found) || fit, () => `core_pattern is ${String(pattern)}`)
        for (const result of results) {
          if (result.outcome !== 'restored' && result.outcome !== 'fallback') continue
          promised(isBackup(result.key, result.value), () => `${result.key} is ours again`)
          if (result.key !== 'kernel.core_pattern') continue
          promised(
            expected === undefined || result.value === expected,
            () => `restored ${result.value}, expected ${String(expected)}`,
          )
        }

        const strange = changes(before, treeOf(directory)).filter(
          (each) => !/^(sys\/|backups\/(core_pattern|suid_dumpable)\.bak$)/.test(each),
        )
        promised(strange.length === 0, () => `changed elsewhere: ${strange.join()}`)
      },
    }
  },
}

/** The backup of the pattern after a take-over; `undefined` where it fails or there is none. */
async function taken(options: Parameters<typeof takeOver>[1]): Promise<string | undefined> {
  try {
    const results = await takeOver(VALUES, options)
    for (const { key, found, backup } of results) {
      const saved = isOurs(key, found) || backup === found || whyNotSaved(found)
      promised(saved, () => `found ${found} of ${key}, saved ${String(backup)}`)
    }
    return results.find(({ key }) => key === 'kernel.core_pattern')?.backup
  } catch (error) {
    if (!isSysctlError(error)) throw error
    return undefined
  }
}

/** `value` where it became the backup of the pattern. */
async function renewed(
  value: string | Buffer,
  options: Parameters<typeof renewBackup>[2],
): Promise<string | undefined> {
  try {
    const pattern = String(value)
    return (await renewBackup('kernel.core_pattern', pattern, options)) ? pattern : undefined
  } catch (error) {
    if (!isSysctlError(error)) throw error
    return undefined
  }
}

/** What cannot be a backup: no text, no number, or half a specifier. */
function whyNotSaved(found: string): boolean {
  return (
    found.trim() === '' ||
    found === 'x' ||
    /[\p{Cc}\u{fffd}]|^[|@]+\s*$|%$/u.test(found) ||
    Buffer.byteLength(found) > 127
  )
}

function isBackup(key: string, value: string): boolean {
  return !isOurs(key, value)
}

function isOurs(_key: string, value: string): boolean {
  return value.startsWith('|/var')
}

function leaveBackup(random: Random, directory: string, root: string): void {
  const path = join(directory, random.pick(['core_pattern.bak', 'suid_dumpable.bak']))
  switch (random.below(8)) {
    case 0:
      return void execaSync('mkfifo', [path])
    case 1:
      mkdirSync(path)
      return
    case 2:
      return symlinkSync(random.pick([join(root, 'outside'), path, '/dev/zero']), path)
    case 3:
      return writeFileSync(path, Buffer.alloc(3_000_000, text(random)))
    default:
      return writeFileSync(path, word(random, 300))
  }
}
