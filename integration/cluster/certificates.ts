import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'

/** Makes in `directory` a CA, the API server's certificate for `addresses`, and the key of service accounts. */
export async function makeCertificates(
  directory: string,
  addresses: readonly string[],
): Promise<void> {
  const openssl = (...args: string[]): Promise<unknown> =>
    execa('openssl', args, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('genrsa', '-out', 'sa.key', '2048')
  await openssl('rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub')
  // a self-signed server certificate has no CA bit: the controller manager would not trust it
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '30',
    '-subj',
    '/CN=test-ca',
  )
  await openssl(
    'req',
    ...key,
    '-keyout',
    'apiserver.key',
    '-out',
    'apiserver.csr',
    '-subj',
    '/CN=kube-apiserver',
  )
  const names = [
    ...addresses.map((address) => `IP:${address}`),
    'DNS:localhost',
    'DNS:kubernetes.default.svc',
  ]
  writeFileSync(join(directory, 'san.cnf'), `subjectAltName=${names.join(',')}\n`)
  const signed = [
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '30',
    '-extfile',
    'san.cnf',
  ]
  await openssl('x509', '-req', '-in', 'apiserver.csr', ...signed, '-out', 'apiserver.crt')
}
