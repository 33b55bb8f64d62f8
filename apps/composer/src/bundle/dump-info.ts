export interface DumpInfo {
  readonly uuid: string
  readonly name: string
  readonly timestamp: string
  readonly hostname: string
  readonly exeName: string
  readonly pid: string
  readonly signal: string
  readonly nodeHostname: string
  readonly pathname: string
}

/** `<name>-dump-info.json`: version 9's keys in its order, every value a string. */
export function formatDumpInfo(info: DumpInfo): string {
  return JSON.stringify({
    uuid: info.uuid,
    dump_file: `${info.name}.core`,
    timestamp: info.timestamp,
    hostname: info.hostname,
    exe: info.exeName,
    // the name is version 9's: it is the pid in the process's own namespace
    real_pid: info.pid,
    signal: info.signal,
    node_hostname: info.nodeHostname,
    path: info.pathname,
  })
}
