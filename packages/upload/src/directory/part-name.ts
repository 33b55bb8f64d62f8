import { basename, dirname, join } from 'node:path'
import { appendToKey } from '../key.ts'

const SUFFIX = '.part'

/** `/dir/.x-<id>.part` for `/dir/x.zip`: hidden, beside the target, never longer than a name can be. */
export function partPath(target: string, id: string): string {
  const stem = basename(target).replace(/\.[^.]*$/, '')
  return join(dirname(target), appendToKey(`.${stem}${SUFFIX}`, id))
}
