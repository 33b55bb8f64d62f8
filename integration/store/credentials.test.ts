import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startAgent, type Agent } from '@core-dump-handler/testing/agent/start-agent'
import { KEYS } from '../fuzz/support/secrets.ts'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'

function scratch(): string {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  return directory
}

/** Refuses everything, in the words of the request, and in `more`. */
async function parrot(more: string): Promise<string> {
  const server = createServer((request, response) => {
    const message = `You said ${JSON.stringify(request.headers)} and ${more}`.replaceAll('<', '')
    request.resume().on('end', () => {
      response.writeHead(403, { 'x-amz-request-id': `of ${more}` })
      response.end(`<Error><Code>InvalidAccessKeyId</Code><Message>${message}</Message></Error>`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${portOf(server)}`
}

/** All output of an agent with these settings: log, responses and commands. */
async function allOutput(settings: (root: string) => Record<string, string>): Promise<string> {
  const root = scratch()
  for (const name of ['cores', 'sys/kernel', 'sys/fs']) {
    mkdirSync(join(root, name), { recursive: true })
  }
  for (const name of ['kernel/core_pattern', 'kernel/core_pipe_limit', 'fs/suid_dumpable']) {
    writeFileSync(join(root, 'sys', name), '0\n')
  }
  writeFileSync(join(root, 'cores/web.zip'), 'a bundle')
  const port = await freePorts()
  const env = {
    PATH: process.env['PATH'],
    HOST_DIR: join(root, 'host'),
    CORE_DIR: join(root, 'cores'),
    SYSCTL_ROOT: join(root, 'sys'),
    S3_BUCKET_NAME: 'bucket',
    S3_REGION: 'us-east-1',
    USE_INOTIFY: 'true',
    HEALTH_PORT: String(port),
    LOG_LEVEL: 'trace',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...settings(root),
  }
  const daemon = startAgent([], env)
  try {
    await daemon.line(/upload failed/)
    const ask = async (path: string): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    await until('the failure shows', async () => (await ask('/readyz')).includes('not ok dest'))
    const status = await outputOf(startAgent(['status'], env))
    const answers = await Promise.all(['/readyz', '/metrics', '/delivered/x', '/'].map(ask))
    const sweep = await outputOf(startAgent(['sweep'], env))
    const file = readFileSync(join(root, 'host/.env'), 'utf8')
    return [daemon.output(), status, sweep, file, ...answers].join('\n')
  } finally {
    await daemon.kill('SIGTERM')
  }
}

async function outputOf(agent: Agent): Promise<string> {
  await agent.ended
  return agent.output()
}

describe('credentials of a store that echoes requests', () => {
  const { accessKeyId, secretAccessKey } = KEYS

  test('are in no output when they are variables [B27]', async () => {
    const endpoint = await parrot(secretAccessKey)
    const output = await allOutput(() => ({
      S3_ENDPOINT: endpoint,
      S3_ACCESS_KEY: accessKeyId,
      S3_SECRET: secretAccessKey,
    }))
    expect(output).toContain('InvalidAccessKeyId')
    expect(output).not.toContain(accessKeyId)
    expect(output).not.toContain(secretAccessKey)
  })

  test('are in no output when they are files', async () => {
    const endpoint = await parrot(secretAccessKey)
    const output = await allOutput((root) => {
      writeFileSync(join(root, 'key'), `${accessKeyId}\n`)
      writeFileSync(join(root, 'secret'), `${secretAccessKey}\n`)
      return {
        S3_ENDPOINT: endpoint,
        S3_ACCESS_KEY_FILE: join(root, 'key'),
        S3_SECRET_FILE: join(root, 'secret'),
      }
    })
    expect(output).toContain('InvalidAccessKeyId')
    expect(output).not.toContain(accessKeyId)
    expect(output).not.toContain(secretAccessKey)
  })

  test('are in no output when the SDK finds them', async () => {
    const endpoint = await parrot('nothing more')
    const output = await allOutput(() => ({
      S3_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: 'canary-session-token',
    }))
    expect(output).toContain('InvalidAccessKeyId')
    expect(output).not.toContain(accessKeyId)
    expect(output).not.toContain(secretAccessKey)
    expect(output).not.toContain('canary-session-token')
  })

  test('are in no output when they are in an invalid setting', async () => {
    const root = scratch()
    const agent = startAgent(['sweep'], {
      PATH: process.env['PATH'],
      HOST_DIR: join(root, 'host'),
      CORE_DIR: root,
      S3_ENDPOINT: `https://user:${secretAccessKey}@store.example /`,
      DESTINATION: `https://user:${secretAccessKey}@store.example/bucket`,
      S3_SECRET: `${secretAccessKey}\u0007`,
      LOG_LEVEL: 'trace',
    })
    await agent.ended
    expect(agent.output()).toContain('S3_SECRET')
    expect(agent.output()).not.toContain(secretAccessKey)
  })
})
