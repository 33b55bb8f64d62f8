/**
 * Memory settings of Node in the image: the agent's limit is 128 MiB. An upload keeps no object for long;
 * both values were measured with `npm run bench -- upload --agent`.
 */
export const RUNTIME_ENV = {
  NODE_OPTIONS: '--max-semi-space-size=1',
  MALLOC_ARENA_MAX: '1',
} as const
