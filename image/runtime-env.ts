/**
 * Options of Node in the image: little memory, because the agent of a node has 128 MiB in all and what an upload
 * allocates is short-lived (measured with `npm run bench -- agent`), and the CA bundle of the image
 * beside Node's own, which costs 5 ms and 1 MiB at the first connection.
 */
export const RUNTIME_ENV = {
  NODE_OPTIONS: '--max-semi-space-size=1 --use-system-ca',
  MALLOC_ARENA_MAX: '1',
} as const
