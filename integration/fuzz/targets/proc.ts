import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { containerIds, startLookup, podUid, snapshotProcess } from '@core-dump-handler/cri'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text, word } from '../generate/text.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const PID = 4242
const OUTSIDE = 'kept outside of the process'
const NAMES = ['auxv', 'cmdline', 'environ', 'maps', 'status']
const FILES = [...NAMES, 'cgroup', 'stat', 'exe']
const MAX_FILE = 20_000

export const proc: Target = {
  name: 'proc',
  what: 'whole /proc trees and cgroup files',
  begin() {
    return {
      async round(random, directory) {
        const root = join(directory, 'proc')
        makeTree(random, root, directory)
        const snapshot = snapshotProcess(PID, {
          root,
          includeFiles: random.once(8) ? ['../../outside', '..', ...NAMES] : NAMES,
          maxFileBytes: MAX_FILE,
          ...(random.once(3) && { tid: PID + random.below(2) }),
          ...(random.once(3) && { pidfd: random.below(5) }),
        })
        for (const { message } of snapshot.warnings) assertOneLine(message, 'a problem')
        for (const [name, bytes] of snapshot.files) {
          promised(bytes.length <= MAX_FILE, () => `${name} has ${bytes.length} bytes`)
          promised(!bytes.includes(OUTSIDE), () => `${name} was read from elsewhere`)
        }
        promised(snapshot.cgroup?.includes(OUTSIDE) !== true, () => 'a link was followed')

        const crash = { timestamp: 1_700_000_200, pid: 1, uid: 1000, gid: 1000 }
        const search = startLookup({ snapshot, crash }, undefined, { procRoot: root })
        const { identity, warnings } = await search.result
        await search.close()
        for (const { message } of warnings) assertOneLine(message, 'a warning')
        promised(identity.status !== 'verified', () => 'verified without a lookup')
        assertCgroup(snapshot.cgroup ?? cgroupOf(random))
      },
    }
  },
}

function assertCgroup(cgroup: string): void {
  const uid = podUid(cgroup)
  promised(uid === undefined || /^[0-9a-f-]{32,36}$/.test(uid), () => `pod ${uid}`)
  for (const id of containerIds(cgroup)) {
    promised(/^[0-9a-f]{64}$/.test(id) && cgroup.includes(id), () => `container ${id}`)
  }
}

function cgroupOf(random: Random): string {
  const id = (): string => random.bytes(32).toString('hex')
  const uid = `${random.bytes(4).toString('hex')}-1111-4222-8333-444455556666`
  const parts = [
    () => `kubepods-besteffort-pod${uid.replaceAll('-', '_')}.slice`,
    () => `pod${uid}`,
    () => `cri-containerd-${id()}.scope`,
    () => `crio-conmon-${id()}`,
    () => `crio-${id()}.scope/container`,
    id,
    () => text(random).replaceAll('\n', ''),
  ]
  const lines = random.times(random.below(random.pick([2, 2, 14, 14, 70_000])), (index) => {
    const count = random.below(random.pick([4, 4, 300]))
    return `${index}:name:/${index < 20 ? random.times(count, () => random.pick(parts)()).join('/') : ''}`
  })
  const whole = lines.join(random.once(20) ? '' : '\n')
  return random.once(3) ? mutate(random, Buffer.from(whole)).toString() : whole
}

/** A process of which any file may be damaged, missing, something else, or far too large. */
function makeTree(random: Random, root: string, directory: string): void {
  writeFileSync(join(directory, 'outside'), OUTSIDE)
  fakeProc(root, {
    pid: PID,
    cgroup: cgroupOf(random),
    comm: word(random, 15).toString().replaceAll('\n', '\\n'),
    pidfdNames: PID,
    files: { environ: 'A=1\0', maps: '', auxv: '' },
  })
  for (const name of FILES) {
    if (random.once(4)) replace(random, join(root, String(PID), name), join(directory, 'outside'))
  }
  if (random.once(10)) writeFileSync(join(root, 'stat'), mutate(random, Buffer.from('btime 17\n')))
}

function replace(random: Random, path: string, outside: string): void {
  rmSync(path, { force: true })
  switch (random.below(6)) {
    case 0:
      return void execaSync('mkfifo', [path])
    case 1:
      mkdirSync(path)
      return
    case 2:
      return symlinkSync(random.pick([outside, path, '/dev/zero', '/proc/self/mem']), path)
    case 3:
      return writeFileSync(path, Buffer.alloc(random.pick([300_000, 3_000_000]), text(random)))
    case 4:
      return writeFileSync(path, random.bytes(random.below(500)))
    default:
  }
}
