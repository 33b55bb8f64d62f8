import { CriError } from '../../error.ts'
import {
  isObject,
  type JsonObject,
  type JsonValue,
  objectAt,
  objectsAt,
  textAt,
} from '../../json.ts'
import { oneLine } from '../../text.ts'
import { withoutEnvironment } from '../environment-values.ts'
import type { CallOptions, Inspection, PodFilter, Runtime } from '../runtime.ts'
import { type CrictlOptions, runCrictl } from './run-crictl.ts'

/** Of crictl at a time: each takes some 20 MiB, and a pod can have 64 containers. */
const MAX_PROCESSES = 4

/** A runtime called through crictl, with the commands of IBM core-dump-handler 9. */
export function connectCrictl(options: CrictlOptions): Runtime {
  const endpoint = options.path
  const closing = new AbortController()
  let images: Promise<readonly JsonObject[]> | undefined

  let processes = 0
  const waiting: (() => void)[] = []

  async function run(
    args: readonly string[],
    { signal }: CallOptions = {},
    all = false,
  ): Promise<Buffer> {
    if (processes < MAX_PROCESSES) processes++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await runCrictl(args, options, {
        all,
        signal: signal ? AbortSignal.any([signal, closing.signal]) : closing.signal,
      })
    } finally {
      const next = waiting.shift()
      if (next === undefined) processes--
      else next()
    }
  }

  async function ask(args: readonly string[], call?: CallOptions): Promise<JsonObject> {
    return withoutEnvironment(parse(await run(args, call), endpoint, args))
  }
  async function inspection(args: readonly string[], call?: CallOptions): Promise<Inspection> {
    const answer = await ask(args, call)
    return { status: objectAt(answer, 'status'), info: objectAt(answer, 'info') }
  }

  async function listImages(call?: CallOptions): Promise<readonly JsonObject[]> {
    return objectsAt(await ask([options.imageCommand, '-o', 'json'], call), 'images')
  }

  async function imageStatus(ref: string, call?: CallOptions): Promise<JsonObject> {
    // one listing serves all containers
    images ??= listImages(call)
    const found = (
      await images.catch((error: unknown) => {
        images = undefined
        throw error
      })
    ).find((image) => names(image).includes(ref))
    if (found !== undefined) return found
    throw new CriError('CRI_NOT_FOUND', `\`${endpoint}\` lists no image \`${ref}\``, { endpoint })
  }

  async function listPodSandboxes(
    { name, uid }: PodFilter,
    call?: CallOptions,
  ): Promise<JsonObject> {
    const byName = name === undefined ? [] : ['--name', name]
    const byUid = uid === undefined ? [] : ['--label', `io.kubernetes.pod.uid=${uid}`]
    const answer = await ask(['pods', ...byName, ...byUid, '-o', 'json'], call)
    // --name is a regular expression without anchors: `web-1` finds `web-10`, too
    const wanted = objectsAt(answer, 'items').filter(
      (pod) =>
        (name === undefined || textAt(pod, 'metadata', 'name') === name) &&
        (uid === undefined || textAt(pod, 'metadata', 'uid') === uid),
    )
    return { ...answer, items: wanted }
  }

  return {
    client: 'crictl',
    endpoint,
    containerStatus: (id, call) => inspection(['inspect', id], call),
    podSandboxStatus: (id, call) => inspection(['inspectp', id], call),
    imageStatus,
    listContainers: (podSandboxId, call) => ask(['ps', '-o', 'json', '-p', podSandboxId], call),
    listPodSandboxes,
    containerLog: (id, lines, call) => run(['logs', `--tail=${lines}`, id], call, true),
    close: () => closing.abort(),
  }
}

function names(image: JsonObject): readonly (JsonValue | undefined)[] {
  const list = (key: string): readonly JsonValue[] => {
    const value = image[key]
    return Array.isArray(value) ? value : []
  }
  return [image['id'], ...list('repoDigests'), ...list('repoTags')]
}

function parse(bytes: Buffer, endpoint: string, args: readonly string[]): JsonObject {
  let cause: unknown
  try {
    const answer: JsonValue = JSON.parse(bytes.toString())
    if (isObject(answer)) return answer
  } catch (error) {
    cause = error
  }
  const command = oneLine([endpoint, ...args].join(' '))
  const message = `\`${command}\` printed ${bytes.length} bytes that are no JSON object`
  throw new CriError('CRI_MALFORMED', message, { endpoint, cause })
}
