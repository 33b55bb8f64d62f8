import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './set-up/root.mjs'

const FILES = globSync('{packages,apps}/*/**/*.{ts,mts,mjs,js}', { cwd: ROOT }).concat(
  globSync('{integration,scripts,chart,image}/**/*.{ts,mts,mjs,js}', { cwd: ROOT }),
)

/** A file or folder, and what its imports may name elsewhere by a relative path. */
const ALLOWED: readonly (readonly [from: string, to: string])[] = [
  // the image is built from the sources of both programs
  ['image/', 'apps/composer/build/bundle.ts'],
  ['image/', 'apps/composer/src/cli.ts'],
  ['image/', 'apps/agent/src/deploy/'],
  // tests of what is no package: the build of the image, the set-up of a checkout
  ['integration/image/', 'image/'],
  ['integration/node/cannot-run.test.ts', 'image/'],
  ['integration/package/', 'scripts/set-up/'],
  ['integration/real-parts.ts', 'scripts/set-up/'],
  ['chart/vitest.config.ts', 'vitest.config.ts'],
  ['integration/vitest.config.ts', 'vitest.config.ts'],
  // its build is no part of what a package exports
  ['integration/fuzz/support/composer.ts', 'apps/composer/build/bundle.ts'],
  // runs the agent with the environment of the image
  ['integration/bench/agent.ts', 'image/runtime-env.ts'],
  // measures one part of the queue, which the package does not export
  ['integration/bench/rescan.ts', 'packages/upload/src/queue/'],
]

/** `packages/x`, `apps/x` or the top-level folder that a path is in. */
function unitOf(path: string): string {
  return /^(?:packages|apps)\/[^/]+|^[^/]+/.exec(path)?.[0] ?? path
}

/** Relative imports of `file`, as paths from the root. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = text.matchAll(/(?:\bfrom|^import|\bimport\()\s*'(\.\.?\/[^']+)'/gm)
  return [...found].map(([, path = '']) => normalize(join(dirname(file), path)))
}

function leavingImports(): readonly (readonly [from: string, to: string])[] {
  return FILES.filter((file) => !/\/(node_modules|dist)\//.test(file)).flatMap((file) =>
    importsOf(file)
      .filter((target) => unitOf(target) !== unitOf(file))
      .map((target) => [file, target] as const),
  )
}

test('no relative import leaves its package or top-level folder', () => {
  const wrong = leavingImports().filter(
    ([file, target]) =>
      !ALLOWED.some(([from, to]) => file.startsWith(from) && target.startsWith(to)),
  )
  expect(wrong).toEqual([])
})

test('each exception is needed', () => {
  const leaving = leavingImports()
  const idle = ALLOWED.filter(
    ([from, to]) =>
      !leaving.some(([file, target]) => file.startsWith(from) && target.startsWith(to)),
  )
  expect(idle).toEqual([])
})
