import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findLocation } from './command.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cdh-config-'))
  return () => rmSync(home, { recursive: true })
})

const configure = (text: string): void => writeFileSync(join(home, 'cdh.json'), text)

describe('findLocation', () => {
  it('prefers the argument to CDH_STORE, and that to the config file', () => {
    configure('{"store": "s3://config", "region": "eu-1"}')
    const env = { XDG_CONFIG_HOME: home, CDH_STORE: 's3://variable' }
    expect(findLocation('s3://argument', {}, env).url).toBe('s3://argument')
    expect(findLocation(undefined, {}, env).url).toBe('s3://variable')
    expect(findLocation(undefined, {}, { XDG_CONFIG_HOME: home })).toEqual({
      url: 's3://config',
      region: 'eu-1',
    })
  })

  it('uses endpoint and region of the config file for its own store only', () => {
    configure('{"store": "s3://config", "endpoint": "http://config:1"}')
    const env = { XDG_CONFIG_HOME: home }
    expect(findLocation('s3://argument', {}, env)).toEqual({ url: 's3://argument' })
    expect(findLocation(undefined, { endpoint: 'http://flag:1' }, env).endpoint).toBe(
      'http://flag:1',
    )
  })

  it('takes the endpoint of the SDK', () => {
    const env = { AWS_ENDPOINT_URL: 'http://all:1', AWS_ENDPOINT_URL_S3: 'http://s3:1' }
    expect(findLocation('s3://b', {}, env).endpoint).toBe('http://s3:1')
  })

  it('says where a location can be set', () => {
    expect(() => findLocation(undefined, {}, { XDG_CONFIG_HOME: home })).toThrow(
      /No location: .*CDH_STORE.*cdh\.json/,
    )
  })

  it.for(['{', '{"stores": "s3://b"}', '{"store": 7}'])(
    'names the config file that has %s',
    (text) => {
      configure(text)
      expect(() => findLocation(undefined, {}, { XDG_CONFIG_HOME: home })).toThrow(
        /Cannot use the config file `.*cdh\.json`/,
      )
    },
  )
})
