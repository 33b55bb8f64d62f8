import { runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { describe, expect, it } from 'vitest'

const COMMANDS = ['list', 'groups', 'show', 'fetch', 'verify', 'debug', 'report']

describe('cdh', () => {
  it('lists its commands and prints its version', async () => {
    const { code, stdout } = await runCdh(['--help'])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} +\\S`, 'm'))
    expect(await runCdh(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0' })
  })

  it.for(COMMANDS)('%s has a help that fits a terminal', async (command) => {
    const { code, stdout } = await runCdh([command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`Usage: cdh ${command}`)
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(86)
  })

  it.for([
    [['frobnicate'], /Unknown command `frobnicate`/],
    [['list', 'x'], /Unexpected argument `x`/],
    [['list', '--since', 'x', 'file:/tmp'], /--since `x` is no time/],
    [['list', '--since', '2026-02-30'], /--since `2026-02-30` is no time: expected such as `90m`/],
    [['list', '--since', ''], /--since is empty/],
    [['groups', '--fingerprint', ''], /--fingerprint is empty/],
    [['list', '--', 'x'], /Unexpected argument `x`/],
    [['show', ''], /An argument is empty/],
    [['show', 'x', 'file:/a', 's3://b'], /Expected one location, and got 2/],
    [['list', 's3://bucket/x.zip'], /Unexpected argument `x\.zip`/],
    [['show', 'file:/tmp'], /Expected one ID, and got 0/],
    [['list', 's3:bucket'], /is no location: expected `s3:\/\/bucket\/prefix`/],
    [['list'], /No location/],
    [['debug', 'x', 'file:/tmp', '--mini', '--core'], /Expected --mini or --core/],
  ] as const)('ends with 2 for %j', async ([args, message]) => {
    const { code, stdout, stderr } = await runCdh(args, { HOME: '/nonexistent' })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(message)
    expect(stderr).toContain('--help`')
  })

  it('names what cannot be reached, and what to do', async () => {
    const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
    const args = ['list', 's3://bucket/x', '--endpoint', 'http://127.0.0.1:1']
    expect(await runCdh(args, keys)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /Cannot list `s3:\/\/bucket\/x\/`: .*ECONNREFUSED.*; check --endpoint/,
      ),
    })
    expect(await runCdh(['list', 's3://bucket'], { HOME: '/nonexistent' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/CredentialsProviderError: .*; set AWS_PROFILE/),
    })
  })
})
