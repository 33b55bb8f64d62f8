import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { portOf } from './free-port.ts'

/** An HTTPS server in place of the API server; resolves with the variables of a pod that may call it. */
export async function fakeApiServer(answer: RequestListener): Promise<NodeJS.ProcessEnv> {
  const dir = await mkdtemp(join(tmpdir(), 'api-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'ca.crt')]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'].concat(
      ['-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=api'],
      ['-addext', 'subjectAltName=IP:127.0.0.1'],
    ),
    { stdio: 'ignore' },
  )
  await writeFile(join(dir, 'token'), 'the-token\n')
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, answer)
  onTestFinished(() => server.close().closeAllConnections())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(portOf(server)),
    SERVICE_ACCOUNT_DIR: dir,
    POD_NAMESPACE: 'observe',
    DAEMONSET_NAME: 'core-dump-handler',
  }
}
