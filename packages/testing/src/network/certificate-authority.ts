import { join } from 'node:path'
import { execa } from 'execa'

export interface Certificate {
  readonly keyFile: string
  readonly certFile: string
}

/** A certificate authority of a test, in `directory`. */
export interface CertificateAuthority {
  readonly caFile: string
  /** A certificate for a host name or address, valid for one day from `daysAgo`. */
  issue(host: string, daysAgo?: number): Promise<Certificate>
}

const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export async function certificateAuthority(
  directory: string,
  name = 'ca',
): Promise<CertificateAuthority> {
  const path = (file: string): string => join(directory, `${name}-${file}`)
  const [caKey, caFile] = [path('ca.key'), path('ca.pem')]
  const self = ['-x509', '-days', '400', '-subj', `/CN=${name} of the tests`]
  // valid before the expired ones it issues
  await execa('faketime', [
    '100 days ago',
    'openssl',
    'req',
    ...self,
    ...EC_KEY,
    '-keyout',
    caKey,
    '-out',
    caFile,
  ])
  let issued = 0
  return {
    caFile,
    async issue(host, daysAgo = 0) {
      const keyFile = path(`${issued}.key`)
      const request = path(`${issued}.csr`)
      const certFile = path(`${issued}.pem`)
      issued++
      const kind = /^[\d.]+$/.test(host) ? 'IP' : 'DNS'
      const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=${kind}:${host}`]
      await execa('openssl', ['req', ...EC_KEY, ...subject, '-keyout', keyFile, '-out', request])
      const by = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-copy_extensions', 'copy']
      const sign = [
        'openssl',
        'x509',
        '-req',
        '-in',
        request,
        ...by,
        '-days',
        '1',
        '-out',
        certFile,
      ]
      await execa('faketime', [`${daysAgo} days ago`, ...sign])
      return { keyFile, certFile }
    },
  }
}
