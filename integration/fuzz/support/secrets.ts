/** Credentials of the store; no output may contain them. */
export const KEYS = {
  accessKeyId: 'AKIACANARYACCESSKEY',
  secretAccessKey: 'canary-secret-of-the-store',
} as const
