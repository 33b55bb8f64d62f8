import type { WantedModule } from './core-modules.ts'

/** `e_machine` of elf(5), and what `process.arch` and image indexes call it. */
const MACHINE_AT = 18
const ARCHITECTURES: ReadonlyMap<number, { readonly node: string; readonly oci: string }> = new Map(
  [
    [62, { node: 'x64', oci: 'amd64' }],
    [183, { node: 'arm64', oci: 'arm64' }],
  ],
)

/** Of a crashed process, as image indexes call it; undefined when it is that of this machine, or unknown. */
export function foreignArchitecture(wanted: readonly WantedModule[]): string | undefined {
  const page = wanted.find(({ firstPage }) => firstPage.length > MACHINE_AT + 1)?.firstPage
  const architecture = page && ARCHITECTURES.get(page.readUInt16LE(MACHINE_AT))
  return architecture?.node === process.arch ? undefined : architecture?.oci
}
