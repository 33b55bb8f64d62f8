import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test as base } from 'vitest'
import { IMAGE_CONFIG } from '../../image/oci-layout.ts'

const FETCH = 'await fetch(process.env.URL).then((answer) => answer.text())'

/** A server whose certificate only its own file vouches for. */
const test = base.extend<{ server: { url: string; certificate: string } }>({
  // oxlint-disable-next-line no-empty-pattern
  server: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'certificates-'))
    const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'own-ca.crt')]
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const files = ['-keyout', key, '-out', certificate]
    await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...names, ...files])
    const server = createServer(
      { key: await readFile(key), cert: await readFile(certificate) },
      (_, answer) => answer.end('ok'),
    )
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
    const { port } = server.address() as AddressInfo
    await use({ url: `https://localhost:${port}/`, certificate })
    server.close()
    await rm(dir, { recursive: true })
  },
})

/** A Node with the variables of the image fetches the URL. */
async function fetchAsImage(url: string, env: Record<string, string> = {}): Promise<boolean> {
  const image = Object.fromEntries(IMAGE_CONFIG.Env.map((line) => line.split(/=(.*)/s).slice(0, 2)))
  const { exitCode } = await execa(process.execPath, ['--input-type=module', '-e', FETCH], {
    env: { ...image, ...env, URL: url },
    extendEnv: false,
    reject: false,
  })
  return exitCode === 0
}

test('D19: a certificate in the place of the CA bundle of the image is trusted', async ({
  server: { url, certificate },
}) => {
  expect(await fetchAsImage(url)).toBe(false)
  expect(await fetchAsImage(url, { SSL_CERT_FILE: certificate })).toBe(true)
})
