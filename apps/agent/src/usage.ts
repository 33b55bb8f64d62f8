/** Text of `--help`. */
export const USAGE = `Usage: core-dump-agent [sweep [FILE...] | remove | status | logs | test-crash]

Prepares this node so that every crash becomes a bundle, and carries bundles to a store.

Commands
  (none)           prepare the node, then carry bundles until SIGTERM
  sweep            send every bundle in CORE_DIR once and end; exit code 1 if one could not be sent
  sweep FILE...    send these files (names or globs) instead
  remove           give the node back as it was found; bundles and events stay
    --if-uninstalling   only if the DaemonSet of this pod goes for good (preStop)
  status           show what is set up on this node and what waits
  logs             the last lines of the composer's log on this node
    -n, --lines N       so many of them (100)
    -f, --follow        and what is added, until SIGTERM or SIGINT
  test-crash       let a process crash and wait until its bundle is in the store

Options
  -h, --help       this text
  -v, --version    the version

Settings are environment variables; a .env beside the program is read first and loses to them.
  HOST_DIR         directory on the node for the composer and its settings
                   (/var/mnt/core-dump-handler)
  CORE_DIR         where bundles wait (/var/mnt/core-dump-handler/cores)
  DESTINATION      s3://bucket/prefix or file:/directory; or S3_BUCKET_NAME, S3_PREFIX
  S3_ACCESS_KEY, S3_SECRET, S3_REGION, S3_ENDPOINT, S3_CA_FILE, ...
  INTERVAL         look for bundles each so many milliseconds; wins over
  SCHEDULE         a cron expression of six fields, seconds first, UTC; wins over
  USE_INOTIFY      true: carry each bundle as soon as it is there
  RECOMPRESS       true: compress cores that were stored in haste in full before they are sent
  COMP_...         settings of the composer, such as COMP_TIMEOUT
All of them are in the README of @core-dump-handler/agent.
`
