import { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { loadConfig } from '@smithy/core/config'
import { UploadError } from '../error.ts'
import { reasonOf, show } from '../text.ts'
import { peerOf } from './request-handler.ts'

type Provider = Extract<NonNullable<S3ClientConfig['credentials']>, (...args: never) => unknown>

const ATTEMPT = 'Cannot get credentials for the store'
const NONE =
  'Give an access key and its secret, or a role (web identity, pod identity, instance profile)'
const POD_IDENTITY_HOST = 'http://169.254.170.2'
const METADATA_HOST = 'http://169.254.169.254'

/** The SDK's whole chain; whatever it throws names the source that failed: its endpoint, role or file. */
export function chainedCredentials(): Provider {
  const trace: string[] = []
  const note = (...words: unknown[]): void => void trace.push(words.map(String).join(' '))
  // ignoreCache: a profile is replaced under a running agent
  const chain = defaultProvider({
    ignoreCache: true,
    logger: { debug: note, info: note, warn: note, error: note },
  })
  return async (options) => {
    trace.length = 0
    try {
      return await chain(options)
    } catch (cause) {
      const message = `${ATTEMPT}: ${await explain(trace, cause)}`
      // a copy of the text: the SDK's object holds the request
      throw new UploadError('NO_CREDENTIALS', message, { cause: new Error(reasonOf(cause)) })
    }
  }
}

/** The last source that the chain has tried is the one that was meant. */
async function explain(trace: readonly string[], cause: unknown): Promise<string> {
  const source = /(?:Provider)::(\w+)/.exec(trace.findLast((line) => SOURCE.test(line)) ?? '')?.[1]
  const reason = answerOf(cause)
  const role = await variable('AWS_ROLE_ARN')
  const file = await variable('AWS_WEB_IDENTITY_TOKEN_FILE')
  if (source === 'fromTokenFile' && role !== '' && file !== '') {
    const sts = peer(cause)?.host ?? (await variable('AWS_ENDPOINT_URL_STS'))
    return `STS${sts === '' ? '' : ` at ${show(sts)}`} does not give the role ${show(role)} for the token file ${show(file)}: ${reason}. Check the trust policy of the role (OIDC provider, audience, namespace and service account), the token file and the way to STS; it is tried again`
  }
  if (source === 'fromHttp') {
    const endpoint =
      (await variable('AWS_CONTAINER_CREDENTIALS_FULL_URI')) ||
      `${POD_IDENTITY_HOST}${await variable('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI')}`
    const tokenFile = await variable('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE')
    const token = tokenFile === '' ? '' : ` for the token file ${show(tokenFile)}`
    return `the endpoint ${show(endpoint)} gives none${token}: ${firstReason(trace) || reason}. Check that the pod identity agent runs on this node and that the service account has an association; it is tried again`
  }
  if (source === 'fromInstanceMetadata') {
    const endpoint = (await variable('AWS_EC2_METADATA_SERVICE_ENDPOINT')) || METADATA_HOST
    return `no keys or role are set, and the instance metadata service ${show(endpoint)} gives none: ${reason}. ${NONE}. A pod gets no answer from that service while its hop limit is 1: set it to 2, or \`hostNetwork: true\`; it is tried again`
  }
  const profile = await variable('AWS_PROFILE')
  const named = profile === '' ? '' : ` (profile ${show(profile)})`
  return `${reason}${named}. ${NONE}`
}

const SOURCE = /(default|remote)Provider::(fromTokenFile|fromHttp|fromInstanceMetadata|fromIni)/
const MARK = '@smithy/property-provider'

/** Why the first of the remote sources failed; the chain itself reports the last one, which was never meant. */
function firstReason(trace: readonly string[]): string {
  const from = trace.findLastIndex((line) => line.includes('remoteProvider::'))
  const line = trace.slice(from).find((each) => each.startsWith(MARK)) ?? ''
  return reasonOf(line.replace(/^\S+ (->|\(!\)) (Error: )?/, ''))
}

function answerOf(cause: unknown): string {
  if (!(cause instanceof Error)) return reasonOf(cause)
  const isNamed = !/^(Error|CredentialsProviderError|ProviderError)$/.test(cause.name)
  return `${isNamed ? `${cause.name}: ` : ''}${reasonOf(cause)}`.replace(/\.$/, '')
}

function peer(cause: unknown): ReturnType<typeof peerOf> {
  if (!(cause instanceof Error)) return undefined
  const response: unknown = Reflect.get(cause, '$response')
  return peerOf(typeof response === 'object' && response !== null ? response : cause)
}

/** An environment variable as the SDK reads it. */
async function variable(name: string): Promise<string> {
  const selectors = {
    environmentVariableSelector: (env: Record<string, string | undefined>) => env[name],
    configFileSelector: () => undefined,
    default: '',
  }
  return (await loadConfig(selectors)().catch(() => '')) ?? ''
}
