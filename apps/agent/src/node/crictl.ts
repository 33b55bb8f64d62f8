import { access } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** The text of version 9's crictl.yaml, byte for byte: no newline at its end. */
export function crictlConfig(endpoint: string): string {
  return [
    `runtime-endpoint: ${endpoint}`,
    `image-endpoint: ${endpoint}`,
    'timeout: 2',
    'debug: false',
    'pull-image-on-create: false',
  ].join('\n')
}

/** The crictl that came with the agent: in the working directory, or beside the program. */
export async function findCrictl(): Promise<string | undefined> {
  const beside = process.argv[1] === undefined ? [] : [join(dirname(process.argv[1]), 'crictl')]
  for (const path of [resolve('crictl'), ...beside]) {
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return undefined
}
