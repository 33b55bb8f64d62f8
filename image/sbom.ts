import { execaSync } from 'execa'
import { agentPackage } from './app-bundles.ts'
import type { ShippedPackage } from './executable/debian-libraries.ts'
import type { ShippedNode } from './executable/node-binary.ts'
import type { BundledPackage } from './licences.ts'

const SELF = 'SPDXRef-core-dump-handler'

interface SpdxPackage {
  readonly SPDXID: string
  readonly name: string
  readonly versionInfo: string
  readonly downloadLocation: 'NOASSERTION'
  readonly filesAnalyzed: false
  readonly licenseConcluded: 'NOASSERTION'
  readonly licenseDeclared: string
  readonly copyrightText: 'NOASSERTION'
  readonly externalRefs?: readonly object[]
}

/** The bill of materials of one image, in SPDX 2.3 JSON; the same inputs give the same document. */
export function spdxDocument(parts: {
  node: ShippedNode
  debian: readonly ShippedPackage[]
  npm: readonly BundledPackage[]
}): object {
  const { version } = agentPackage()
  const contained = [
    spdxPackage('npm', parts.node.name, parts.node.version, 'MIT'),
    ...parts.debian.map((each) =>
      spdxPackage('deb/debian', each.name, each.version, 'NOASSERTION'),
    ),
    ...parts.npm.map((each) => spdxPackage('npm', each.name, each.version, each.licence)),
  ]
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `core-dump-handler-${version}`,
    documentNamespace: `https://github.com/core-dump-handler/core-dump-handler/spdx/${version}`,
    creationInfo: { created: created(), creators: ['Tool: core-dump-handler-image'] },
    packages: [
      { ...spdxPackage('github', 'core-dump-handler', version, 'Apache-2.0'), SPDXID: SELF },
      ...contained,
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: SELF,
      },
      ...contained.map(({ SPDXID }) => ({
        spdxElementId: SELF,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
  }
}

function spdxPackage(type: string, name: string, version: string, licence: string): SpdxPackage {
  const purl = `pkg:${type}/${name.replace('@', '%40')}@${encodeURIComponent(version)}`
  return {
    SPDXID: `SPDXRef-${type}-${name}-${version}`.replaceAll(/[^\w.-]+/g, '-').replaceAll('_', '-'),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licence,
    copyrightText: 'NOASSERTION',
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
    ],
  }
}

/** reproducible-builds.org: SOURCE_DATE_EPOCH, else the time of the last commit. */
export function sourceDateEpoch(): number {
  const given = Number(process.env['SOURCE_DATE_EPOCH'])
  if (Number.isSafeInteger(given) && given > 0) return given
  const { stdout } = execaSync('git', ['log', '-1', '--format=%ct'], { reject: false })
  return Number(stdout ?? 0)
}

function created(): string {
  return new Date(sourceDateEpoch() * 1000).toISOString().replace('.000', '')
}
