export { isAlive } from './link/agent-link.ts'
export { receiverPattern } from './socket/receiver-pattern.ts'
