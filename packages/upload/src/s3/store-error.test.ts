import { describe, expect, it } from 'vitest'
import { classifyError } from './store-error.ts'

function sdkError(name: string, status?: number): Error {
  const error = Object.assign(new Error('an error of the store'), { name })
  return status === undefined
    ? error
    : Object.assign(error, { $metadata: { httpStatusCode: status } })
}

describe('classifyError', () => {
  it.for([
    ['SlowDown', 503, 'THROTTLED'],
    ['ThrottlingException', 400, 'THROTTLED'],
    ['RequestLimitExceeded', 400, 'THROTTLED'],
    ['BandwidthLimitExceeded', 509, 'THROTTLED'],
    ['', 429, 'THROTTLED'],
    ['', 503, 'THROTTLED'],
    ['RequestTimeTooSkewed', 403, 'CLOCK'],
    ['RequestExpired', 400, 'CLOCK'],
    ['SignatureDoesNotMatch', 403, 'WRONG_SECRET'],
    ['AccessDeniedException', 403, 'DENIED'],
    ['KMS.DisabledException', 400, 'DENIED'],
    ['RequestTimeout', 400, 'STORE'],
    ['InternalError', 503, 'STORE'],
    ['', 500, 'STORE'],
    ['', 502, 'STORE'],
    ['', 504, 'STORE'],
    ['', 509, 'STORE'],
    ['', 507, 'FULL'],
    ['NotImplemented', 501, 'REFUSED'],
    ['', 400, 'STORE'],
    ['InvalidRequest', 400, 'REFUSED'],
    ['', 301, 'WRONG_REGION'],
    ['constructor', 400, 'REFUSED'],
  ] as const)('takes the answer %j with status %d for %s', ([name, status, expected]) => {
    expect(classifyError(sdkError(name, status), name, status)).toBe(expected)
  })

  it.for([
    ['ECONNREFUSED', 'UNREACHABLE'],
    ['ECONNRESET', 'UNREACHABLE'],
    ['ECONNABORTED', 'UNREACHABLE'],
    ['EADDRNOTAVAIL', 'UNREACHABLE'],
    ['EHOSTDOWN', 'UNREACHABLE'],
    ['EHOSTUNREACH', 'UNREACHABLE'],
    ['ENETDOWN', 'UNREACHABLE'],
    ['ENETUNREACH', 'UNREACHABLE'],
    ['ENOTFOUND', 'UNREACHABLE'],
    ['EAI_AGAIN', 'UNREACHABLE'],
    ['EPIPE', 'UNREACHABLE'],
    ['ETIMEDOUT', 'UNREACHABLE'],
    ['HPE_INVALID_CONSTANT', 'UNREACHABLE'],
    ['ERR_SOCKET_CLOSED', 'UNREACHABLE'],
    ['CERT_HAS_EXPIRED', 'TLS'],
    ['EPROTO', 'TLS'],
    ['ENOMEM', 'STORE'],
  ] as const)('takes a request that ends with %s for %s', ([code, expected]) => {
    const cause = Object.assign(new Error('broken'), { code })
    expect(classifyError(cause, '', 0)).toBe(expected)
    expect(classifyError(new Error('wrapped', { cause }), '', 0)).toBe(expected)
  })

  it('takes a timeout of the SDK for UNREACHABLE', () => {
    expect(classifyError(sdkError('TimeoutError'), 'TimeoutError', 0)).toBe('UNREACHABLE')
  })

  it('classifies an error whose cause is no error', () => {
    const error = Object.assign(new Error('broken', { cause: null }), { code: 'ETIMEDOUT' })
    expect(classifyError(error, '', 0)).toBe('UNREACHABLE')
  })
})
