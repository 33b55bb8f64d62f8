import { readFile } from 'node:fs/promises'

/** Options of the mount that holds `dir` in the mount namespace of process `pid`, proc_pid_mountinfo(5). */
export async function mountOptions(
  dir: string,
  pid: number | 'self' = 'self',
): Promise<readonly string[] | undefined> {
  const text = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
  let nearest: { readonly point: string; readonly options: string } | undefined
  for (const line of text.split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ')
    if (point === '' || !`${dir}/`.startsWith(point === '/' ? '/' : `${point}/`)) continue
    // the longest path wins, and of mounts on one place the last
    if (nearest === undefined || point.length >= nearest.point.length) nearest = { point, options }
  }
  return nearest?.options.split(',')
}
