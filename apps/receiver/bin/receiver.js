#!/usr/bin/env node
// plain JavaScript without dependencies: this must start under whatever Node the machine has
import { start } from './start.js'

start(process.argv.slice(2))
