import { copyFileSync } from 'node:fs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Agent } from '@core-dump-handler/testing/agent/agent'
import {
  agentFor,
  expectStored,
  leaveBundle,
} from '@core-dump-handler/testing/agent/uploading-agent'
import {
  certificateAuthority,
  type CertificateAuthority,
} from '@core-dump-handler/testing/network/certificate-authority'
import { nameServer, type NameAnswer } from '@core-dump-handler/testing/network/name-server'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { tlsFront, type TlsFront } from '@core-dump-handler/testing/network/tls-front'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const MIB = 1 << 20
const HOST = 'store.example'
/** Four parts, one after the other: cut in the third. */
const PARTS = { S3_PART_BYTES: String(5 * MIB), S3_WORKERS: '1' }
const BYTES = 20 * MIB
const IN_THIRD_PART = 12 * MIB

realParts('an upload whose connection to the store fails', () => {
  let store: ObjectStore
  let directory: string
  let authority: CertificateAuthority
  let front: TlsFront

  beforeEach(async () => {
    store = await startVersitygw()
    directory = scratchDirectory()
    authority = await certificateAuthority(directory)
    front = await tlsFront(store.endpoint, await authority.issue(HOST))
    return async () => {
      front.close()
      await store.stop()
      removeScratch(directory)
    }
  })

  /** An agent for which the store has a name, and TLS by the CA it was given. */
  async function tlsAgent(): Promise<{ agent: Agent; answer: (how: NameAnswer) => void }> {
    const names = await nameServer()
    onTestFinished(() => names.close())
    const endpoint = `https://${HOST}:${front.port}`
    const agent = agentFor({ ...store, endpoint }, { S3_CA_FILE: authority.caFile, ...PARTS })
    return { agent: agent.resolveBy(names.address), answer: (how) => names.answer(how) }
  }

  /** What fails from the third part on: said with host and cause, kept, and gone on with once mended. */
  async function failAndGoOn(
    agent: Agent,
    { fail, mend, cause }: { fail: () => void; mend: () => void; cause: RegExp },
  ): Promise<void> {
    front.cutBody(IN_THIRD_PART, 1, fail)
    const { name, content } = leaveBundle(agent, BYTES)
    await agent.start()
    const failure = await until('the failure is logged', () => failureOf(agent, cause), 60_000)
    expect(failure).toContain(`${HOST}:${front.port}`)
    expect(agent.daemon.running()).toBe(true)
    expect(agent.waiting).toContain(name)
    expect(await store.keys()).toEqual([])
    expect(await store.uploads()).toHaveLength(1)

    const before = front.sentBytes
    mend()
    await expectStored(store, name, content, agent)
    // two of four parts are kept
    expect(front.sentBytes - before).toBeLessThan(BYTES - 2 * 5 * MIB + MIB)
  }

  test('sends only the cut part again when TLS connections are cut in the body [agent-26]', async () => {
    const { agent } = await tlsAgent()
    front.cutBody(IN_THIRD_PART, 3)
    const { name, content } = leaveBundle(agent, BYTES)
    await agent.start()
    await expectStored(store, name, content, agent)
    expect(front.cuts).toBeGreaterThan(0)
    expect(front.sentBytes).toBeLessThan(BYTES + (front.cuts + 1) * 5 * MIB)
    expect(agent.output).not.toContain('upload failed')
  })

  test('resumes after TLS connections were cut in each handshake [agent-27]', async () => {
    const { agent } = await tlsAgent()
    const cause = /disconnected before secure TLS connection|ECONNRESET/
    await failAndGoOn(agent, { fail: () => front.cutHandshakes(), mend: () => front.heal(), cause })
  })

  test('resumes once an expired certificate is renewed [agent-28]', async () => {
    const { agent } = await tlsAgent()
    const [expired, renewed] = [await authority.issue(HOST, 5), await authority.issue(HOST)]
    await failAndGoOn(agent, {
      fail: () => front.show(expired),
      mend: () => front.show(renewed),
      cause: /certificate has expired/,
    })
  })

  test('resumes once the CA file has a new authority [agent-29]', async () => {
    const { agent } = await tlsAgent()
    const other = await certificateAuthority(directory, 'other')
    const certificate = await other.issue(HOST)
    await failAndGoOn(agent, {
      fail: () => front.show(certificate),
      mend: () => copyFileSync(other.caFile, authority.caFile),
      cause: /unable to (verify|get local issuer)|self-signed certificate/,
    })
  })

  test.for<[NameAnswer, RegExp]>([
    ['no-such-name', /ENOTFOUND/],
    ['failure', /EAI_AGAIN/],
    ['silence', /EAI_AGAIN/],
  ])('resumes after DNS answered %s [agent-30]', async ([how, cause]) => {
    const { agent, answer } = await tlsAgent()
    await failAndGoOn(agent, { fail: () => answer(how), mend: () => answer('address'), cause })
  })
})

/** The agent's log line with the failure. */
function failureOf(agent: Agent, cause: RegExp): string | undefined {
  return agent.output.split('\n').find((line) => line.includes('upload failed') && cause.test(line))
}
