/** Status codes of gRPC that are made or told apart here (grpc/doc/statuscodes.md). */
export const GrpcStatus = {
  canceled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  dataLoss: 15,
} as const

/** A call that ended without an answer; `status` is the runtime's, or made by the channel. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly status: number

  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}
