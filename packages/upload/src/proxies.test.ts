import { describe, expect, it } from 'vitest'
import { NoProxy } from './proxies.ts'

describe('NoProxy', () => {
  it.for([
    ['svc.cluster.local', 'minio.storage.svc.cluster.local', 9000],
    ['svc.cluster.local', 'svc.cluster.local', 80],
    ['.svc.cluster.local', 'minio.storage.svc.cluster.local', 80],
    ['*.cluster.local', 'minio.cluster.local', 80],
    ['EXAMPLE.com', 'S3.example.COM', 443],
    ['example.com.', 's3.example.com', 443],
    ['example.com', 's3.example.com.', 443],
    ['localhost, 127.0.0.0/8', '127.0.0.1', 7070],
    ['localhost 10.0.0.0/8', '10.200.3.4', 80],
    ['10.0.0.0/8', '::ffff:10.1.2.3', 80],
    ['192.168.1.7', '192.168.1.7', 9000],
    ['192.168.1.7:9000', '192.168.1.7', 9000],
    ['store:9000', 'store', 9000],
    ['store:9000', 'a.store', 9000],
    ['fd00::/8', 'fd12:3456::1', 443],
    ['fd00::/8', '[fd12:3456::1]', 443],
    ['::1', '[::1]', 443],
    ['[::1]', '::1', 443],
    ['[::1]:9000', '::1', 9000],
    ['fe80::1', 'fe80:0:0::1%eth0', 443],
    ['*', 'anything', 1],
    ['a,,  b ,c', 'b', 1],
  ] as const)('W1: with %j reaches %s:%d directly', ([list, host, port]) => {
    const exceptions = new NoProxy(list)
    expect(exceptions.covers(host, port)).toBe(true)
    expect(exceptions.unknown).toEqual([])
  })

  it.for([
    ['', 'store', 80],
    ['example.com', 'notexample.com', 443],
    ['example.com', 'example.com.evil', 443],
    ['s3.example.com', 'example.com', 443],
    ['store:9000', 'store', 9001],
    ['10.0.0.0/8', '11.0.0.1', 80],
    ['10.0.0.0/8', 'ten.example', 80],
    ['192.168.1.7:9000', '192.168.1.7', 80],
    ['0.1', '10.0.0.1', 80],
    ['fd00::/8', 'fe80::1', 443],
  ] as const)('W1: with %j uses the proxy for %s:%d', ([list, host, port]) => {
    expect(new NoProxy(list).covers(host, port)).toBe(false)
  })

  it.for([
    '10.0.0.0/33',
    'fd00::/129',
    'host:0',
    'host:99999',
    'http://host',
    'a*b',
    'u@host',
    '[',
  ])('W1: reports %j as not understood', (entry) => {
    expect(new NoProxy(`good, ${entry}`).unknown).toEqual([entry])
  })
})
