/** Ends of the entry names of a bundle; each follows the bundle's name. */
export const ENTRY = {
  dumpInfo: '-dump-info.json',
  core: '.core',
  podInfo: '-pod-info.json',
  runtimeInfo: '-runtime-info.json',
  psInfo: '-ps-info.json',
  /** What crashed and where, see `@core-dump-handler/report`. */
  report: '-report.json',
  /** The same for a person. */
  reportText: '-report.txt',
  /** Registers and the stacks in use, for a debugger. */
  minicore: '-mini.core',
  /** In a record: the bundles it stands for. */
  dropped: '-dropped.json',
  /** Always the last entry. */
  manifest: '-manifest.json',
} as const

/** Ends of the entry names of the container with this index. */
export function containerEntry(index: number) {
  return {
    log: `-${index}.log`,
    imageInfo: `-${index}-image-info.json`,
    processFile: (file: string): string => `-${index}-proc/${file}`,
  }
}

/** End of the entry name of a `/proc` file of the crashed process. */
export function processEntry(file: string): string {
  return `-process/${file}`
}

/** `<name>.zip`, a published bundle. */
export function bundleFileName(name: string): string {
  return `${name}.zip`
}

const PART_FILE = /^\.(.+)\.zip\.part$/s

/** The bundle's name in `.<name>.zip.part`, an unfinished file of its writer; undefined for other files. */
export function nameOfPartFile(file: string): string | undefined {
  return PART_FILE.exec(file)?.[1]
}

const MAX_EQUAL_NAMES = 100

/** `wanted`, then `wanted-2`, `wanted-3` … for a name that is taken, and at last `wanted-<uuid>`. */
export function* candidateNames(wanted: string, uuid: string): Generator<string, void> {
  yield wanted
  for (let n = 2; n <= MAX_EQUAL_NAMES; n++) yield `${wanted}-${n}`
  yield `${wanted}-${uuid}`
}

/**
 * Longest `<name>` in bytes. NAME_MAX is 255; room is left for `.`, `.zip`, `.part`, the
 * suffix of equal names, the longest entry (`-<i>-image-info.json`) and an uploader's uuid.
 */
export const MAX_NAME_BYTES = 200

// separators, what Windows and shells interpret, anything invisible, U+FFFD for lost bytes
const UNSAFE = /[/\\:*?"<>|`$\uFFFD\p{C}]|(?! )\p{Z}/gu

/** `wanted` as one path segment, visible, not hidden, at most `MAX_NAME_BYTES`; '' if nothing is left. */
export function safeName(wanted: string): string {
  const visible = wanted
    .toWellFormed()
    .replaceAll(UNSAFE, '_')
    .replaceAll(/\.{2,}/g, underscores)
  return cutUtf8(visible.trim().replace(/^[.-]+/, underscores), MAX_NAME_BYTES).trimEnd()
}

function underscores(found: string): string {
  return '_'.repeat(found.length)
}

/** At most `maxBytes` of UTF-8, never half a character. */
function cutUtf8(text: string, maxBytes: number): string {
  const encoded = Buffer.from(text)
  if (encoded.length <= maxBytes) return text
  let end = maxBytes
  // continuation bytes are 10xxxxxx
  while (((encoded[end] ?? 0) & 0xc0) === 0x80) end--
  return encoded.toString('utf8', 0, end)
}
