/** Keys of the store, as they are given to whoever sends to it. */
export const KEYS = {
  accessKeyId: 'AKIACANARYACCESSKEY',
  secretAccessKey: 'canary-secret-of-the-store',
} as const
