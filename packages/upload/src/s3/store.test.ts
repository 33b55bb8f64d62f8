import { expect, it } from 'vitest'
import { storeId } from './store.ts'

it.for([
  ['https://store.example:9000/', 'store.example:9000 cores'],
  ['HTTP://store.example:9000', 'store.example:9000 cores'],
  ['http://127.0.0.1:9000', '127.0.0.1:9000 cores'],
  ['https://s3.eu-west-1.amazonaws.com', 'aws cores'],
  ['aws', 'aws cores'],
] as const)('D13: the id of a store at %s stays the same in a resume record', ([endpoint, id]) => {
  expect(storeId(`${endpoint} cores`)).toBe(id)
  expect(storeId(id)).toBe(id)
})
