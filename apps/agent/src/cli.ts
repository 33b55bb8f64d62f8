#!/usr/bin/env node
import process from 'node:process'

const args = process.argv.slice(2)
// a child of the agent in the same cgroup: it loads nothing that only the agent needs
process.exitCode =
  args[0] === 'recompress-now'
    ? await (await import('./recompress/recompress-now.ts')).recompressNow(args.slice(1))
    : await (await import('./main.ts')).main(args)
