#!/usr/bin/env node
import process from 'node:process'

const args = process.argv.slice(2)
// a child of the agent, beside it in one cgroup: without what the agent itself needs
process.exitCode =
  args[0] === 'recompress-now'
    ? await (await import('./recompress/recompress-now.ts')).recompressNow(args.slice(1))
    : await (await import('./main.ts')).main(args)
