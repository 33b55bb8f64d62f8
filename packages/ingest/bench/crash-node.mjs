// crash-node.mjs MIB: a JavaScript server's heap of MIB: orders with strings, dates and numbers, a
// cache of JSON, arrays of doubles, bodies in Buffers. Says "ready", crashes when its input ends.
import { createHash } from 'node:crypto'

const target = Number(process.argv[2]) * 2 ** 20
const ROWS = 500
let seed = 1
/** @param {number} below */
const random = (below) => (seed = (seed * 48271) % 2147483647) % below
const CITIES = ['Lisbon', 'Porto', 'Nairobi', 'Montréal', 'Kyoto', '東京', 'São Paulo']

/** @param {number} id */
function makeOrder(id) {
  const lines = Array.from({ length: 1 + random(6) }, (_, line) => ({
    sku: `SKU-${random(20_000)}`,
    quantity: 1 + random(9),
    price: random(10_000) / 100,
    discounted: line === 0,
  }))
  return {
    id,
    customer: { name: `customer-${random(90_000)}`, city: CITIES[random(CITIES.length)] },
    lines,
    placed: new Date(1.76e12 + id * 731),
    total: lines.reduce((sum, { quantity, price }) => sum + quantity * price, 0),
  }
}

const orders = new Map()
const answers = new Map()
const series = []
const bodies = []
while (process.memoryUsage.rss() < target) {
  for (let row = 0; row < ROWS; row++) orders.set(orders.size, makeOrder(orders.size))
  const some = orders.get(random(orders.size))
  for (let i = 0; i < 40; i++) {
    answers.set(`GET /orders/${answers.size}`, JSON.stringify({ ...some, page: i }))
  }
  series.push(Float64Array.from({ length: 1024 }, (_, i) => Math.sin(i / 40) * random(100)))
  const signed = createHash('sha512').update(String(orders.size)).digest()
  bodies.push(Buffer.alloc(16 * 1024), Buffer.concat(Array(64).fill(signed)))
}
process.stdout.write('ready\n')
process.stdin.on('end', () => process.kill(process.pid, 'SIGSEGV')).resume()
