export { isAlive } from './link/check.ts'
export { receiverPattern } from './socket/receiver-pattern.ts'
