export {
  accept,
  descriptorOf,
  receiveDescriptor,
  sendDescriptor,
  shutdown,
  takeDescriptor,
} from './descriptors.ts'
export {
  EXCHANGE_SOCKET_NAME,
  exchangeSockets,
  listenForExchange,
  releaseQueue,
} from './exchange-sockets.ts'
export type { ExchangeOptions } from './exchange-sockets.ts'
export { coreDumpInfo, identifyPeer, peerCredentials, peerPidfd } from './identify-peer.ts'
export type { CoreDumpInfo, Credentials, Peer } from './identify-peer.ts'
export { listenAt } from './listen.ts'
export type { ListenOptions } from './listen.ts'
export { ACK_BYTES, acknowledge, COREDUMP, MARKS, readMark, readRequest } from './protocol.ts'
export type { CoreDumpRequest } from './protocol.ts'
