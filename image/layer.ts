import { execFileSync } from 'node:child_process'
import { sourceDateEpoch } from './sbom.ts'

/** The files below `root` as one tar: sorted, owned by root, with one time, so always the same bytes. */
export function layerTar(root: string): Buffer {
  return execFileSync(
    'tar',
    [
      '-cf',
      '-',
      '--format=ustar',
      '--sort=name',
      `--mtime=@${sourceDateEpoch()}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '-C',
      root,
      '.',
    ],
    { maxBuffer: 2 ** 30 },
  )
}
