const { env, argv } = process
const kept = Array.from({ length: 1000 }, (_, index) => `${env['SECRET']}${index}`)

// a function of JavaScript has no place of its own: that of what it calls is another
function crash() {
  if (argv[2] === 'there') process.kill(process.pid, 'SIGABRT')
  else process.abort()
  return kept.length
}

/**
 * @param {number} depth
 * @returns {number}
 */
function inner(depth) {
  return depth === 0 ? crash() : inner(depth - 1) + 1
}

setTimeout(() => [1, 2, 3].map(() => inner(5)), 50)
