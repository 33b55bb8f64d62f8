import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import * as v from 'valibot'
import { ZipWriter } from '@core-dump-handler/ingest'
import { Metrics } from '@core-dump-handler/agent/internal/monitoring/metrics'
import { readManifest } from '@core-dump-handler/bundle'
import { podEvent } from '@core-dump-handler/agent/internal/cluster/pod-events'
import { jsonText } from '../generate/json.ts'
import { mutate } from '../generate/mutate.ts'
import { text } from '../generate/text.ts'
import { MemorySink } from '../support/memory-sink.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const SOUND = {
  schema: 'core-dump-handler/bundle@1',
  uuid: '3d2c1b0a-1111-4222-8333-444455556666',
  composer: '1.0.0',
  node: { hostname: 'node-1', kernel: '6.1.0' },
  crash: { time: '2026-01-01T00:00:00.000Z', signal: 11, signalName: 'SIGSEGV', comm: 'web' },
  identity: { status: 'verified', pod: 'web-1', namespace: 'shop', podUid: 'u', container: 'main' },
  core: { bytes: 10, complete: false, reason: 'cut' },
  timings: { heldMs: 20, lookupMs: 3, totalMs: 40 },
  problems: [{ code: 'CORE_NOT_WRITTEN', message: 'x' }],
}
const SAMPLE = /^[a-z0-9_]+(\{([a-z_]+="([^"\\\n]|\\[\\"n])*",?)*\})? [-+.\deInfNa]+$/

export const manifests: Target = {
  name: 'manifests',
  what: 'bundles that the agent reads, and its metrics and Events of them',
  begin() {
    const metrics = new Metrics()
    return {
      async round(random, directory) {
        const sink = new MemorySink()
        const zip = new ZipWriter(sink)
        for (const name of ['x-dump-info.json', 'x.core', 'x-manifest.json']) {
          await zip.add(name, jsonText(random, random.once(20) ? text(random) : SOUND))
        }
        await zip.finish()
        const path = join(directory, 'x.zip')
        writeFileSync(path, random.once(2) ? sink.bytes() : mutate(random, sink.bytes()))
        const fifo = join(directory, 'fifo.zip')
        if (random.once(50)) execaSync('mkfifo', [fifo])
        promised((await readManifest(fifo)) === undefined, () => 'a FIFO has a manifest')
        const manifest = await readManifest(path)
        metrics.countBundle(manifest)
        if (manifest === undefined) return
        const stored = {
          url: 's3://bucket/x.zip',
          key: 'x.zip',
          bytes: 1,
          outcome: 'stored',
          parts: 0,
          keptParts: 0,
        } as const
        const made = podEvent({ manifest, stored }, 'node-1')
        if (made === undefined) return
        const { message } = v.parse(v.object({ message: v.string() }), made.event)
        assertOneLine(message, 'the Event')
        promised(message.length <= 1024, () => `the Event has ${message.length} characters`)
      },
      async end() {
        const lines = (await metrics.registry.metrics()).split('\n')
        for (const line of lines.filter((each) => each !== '' && !each.startsWith('#'))) {
          promised(SAMPLE.test(line), () => `a metric: ${JSON.stringify(line)}`)
        }
        promised(lines.length < 5000, () => `${lines.length} lines of metrics`)
      },
    }
  },
}
