// `npm run demo`, `npm test` and `npm run bench` begin here, before anything is installed and under
// whatever Node the machine has: plain JavaScript, no dependencies.
const OLDEST = 20
const major = Number(process.versions.node.split('.')[0])

if (major >= OLDEST) {
  const { setUpAndRun } = await import('./set-up/set-up-and-run.mjs')
  process.exitCode = await setUpAndRun(process.argv[2] ?? '', process.argv.slice(3))
} else {
  const { runInForeground, pinnedNode } = await import('./set-up/pinned-node.mjs')
  const node = pinnedNode()
  if (node === undefined) {
    process.stderr.write(
      `This needs Node ${OLDEST} or newer to start, and found ${process.version}: install a newer one (https://nodejs.org/en/download) and run the same command again.\n`,
    )
    process.exitCode = 1
  } else {
    process.exitCode = await runInForeground(node, process.argv.slice(1))
  }
}
