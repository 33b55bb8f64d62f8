import { readFileSync } from 'node:fs'
import type { S3Credentials } from '@core-dump-handler/upload'
import type { SettingProblem } from './problem.ts'
import type { Variables } from './variables.ts'

type KeyFile = 'S3_ACCESS_KEY_FILE' | 'S3_SECRET_FILE'

/** Both keys as they are now, and whether files hold them that may change under a running agent. */
export interface S3Keys {
  readonly credentials?: S3Credentials
  readonly problems: readonly SettingProblem[]
  /** Reads the files again. @throws Error naming the file */
  readonly again?: () => S3Credentials
}

/** Both keys, from files or variables, or neither: half a pair would only hide the node's own role. */
export function s3Keys(variables: Variables): S3Keys {
  const problems: SettingProblem[] = []
  const fromFile = (variable: KeyFile): string | undefined => {
    const path = variables[variable]
    if (path === undefined) return undefined
    try {
      return readKey(path)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      problems.push({ variable, got: path, message: `${why}; taken as not set` })
      return undefined
    }
  }
  const [accessKeyIdOfFile, secretOfFile] = [
    fromFile('S3_ACCESS_KEY_FILE'),
    fromFile('S3_SECRET_FILE'),
  ]
  const accessKeyId = accessKeyIdOfFile ?? variables.S3_ACCESS_KEY
  const secretAccessKey = secretOfFile ?? variables.S3_SECRET

  // the service account's own role wins, as it did in version 9
  if (variables.AWS_WEB_IDENTITY_TOKEN_FILE) return { problems }
  if (accessKeyId && secretAccessKey) {
    const again = (): S3Credentials => ({
      accessKeyId: accessKeyIdOfFile ? readKey(variables.S3_ACCESS_KEY_FILE ?? '') : accessKeyId,
      secretAccessKey: secretOfFile ? readKey(variables.S3_SECRET_FILE ?? '') : secretAccessKey,
    })
    const hasFile = accessKeyIdOfFile ?? secretOfFile
    return { credentials: { accessKeyId, secretAccessKey }, problems, ...(hasFile && { again }) }
  }
  if (accessKeyId || secretAccessKey) {
    problems.push({
      variable: accessKeyId ? 'S3_SECRET' : 'S3_ACCESS_KEY',
      message: 'is missing, so the other key is not used either; the SDK looks for credentials',
    })
  }
  return { problems }
}

function readKey(path: string): string {
  let value: string
  try {
    value = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new Error(`cannot read \`${path}\`: ${why}`, { cause })
  }
  if (/^[!-~]+$/.test(value)) return value
  const found = value === '' ? 'is empty' : 'holds blanks or control bytes'
  throw new Error(`\`${path}\` ${found}`)
}
