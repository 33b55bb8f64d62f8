// the CRC-32 polynomial, bits reversed
const POLYNOMIAL = 0xedb88320
let powers: Int32Array | undefined

/** The CRC-32 of consecutive bytes. */
export class Crc {
  readonly #update: (bytes: Uint8Array, value: number) => number
  #value = 0

  /** `update`: the CRC-32 of all bytes, from that of those before. */
  constructor(update: (bytes: Uint8Array, value: number) => number) {
    this.#update = update
  }

  get value(): number {
    return this.#value
  }

  addBytes(bytes: Uint8Array): void {
    this.#value = this.#update(bytes, this.#value)
  }

  /** Adds `length` zero bytes without reading them: each multiplies the register by x^8. */
  addZeros(length: number): void {
    const table = (powers ??= makePowers())
    let register = ~this.#value
    for (let n = 3, rest = length; rest > 0; n++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) register = multiply(table[n & 31] ?? 0, register)
    }
    this.#value = ~register >>> 0
  }
}

/** a·b modulo the polynomial, over GF(2). */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 0x80000000; ; bit >>>= 1) {
    if (a & bit) {
      product ^= shifted
      if ((a & (bit - 1)) === 0) return product
    }
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
}

/** x^(2^n) modulo the polynomial; the exponent repeats after 2^31. */
function makePowers(): Int32Array {
  const table = new Int32Array(32)
  let power = 0x40000000
  for (let n = 0; n < 32; n++) {
    table[n] = power
    power = multiply(power, power)
  }
  return table
}
