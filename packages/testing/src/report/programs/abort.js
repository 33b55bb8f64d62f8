/**
 * @param {number} depth
 * @returns {number}
 */
function inner(depth) {
  return depth === 0 ? process.abort() : inner(depth - 1) + 1
}

setTimeout(() => [1, 2, 3].map(() => inner(5)), 50)
