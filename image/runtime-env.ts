/**
 * What the image tells Node of its own memory, as an agent of a whole node has 128 MiB for everything.
 * Of what a bundle takes on its way nothing lives long; both were measured with `npm run bench -- upload --agent`.
 */
export const RUNTIME_ENV = {
  NODE_OPTIONS: '--max-semi-space-size=1',
  MALLOC_ARENA_MAX: '1',
} as const
