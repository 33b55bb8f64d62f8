import { COMPOSER_SETTINGS } from '@core-dump-handler/capture/settings'

/** What `--help` prints. */
export function usage(): string {
  return `Usage: composer [options] < core

Packs a core dump into one zip, with its owner and the state around it, and
prints the path of the zip. On a node the kernel runs it once per crash.

  composer --dir out < core            pack a core file
  gcore -o c 42 && composer -e nginx -p 42 -s 11 < c.42

Options
  -d, --dir DIR            where the zip goes (default: CORE_DIR, else here)
  -T, --timeout SECONDS    after this time finish with what there is, exit 32
  -D, --disable-compression
      --self-test          check that this machine can make bundles, and exit
  -V, --version
      --help

The crash, in the terms of core(5); the kernel passes these
  -e, --exe-name %e    -E, --pathname %E    -s, --signal %s   -t, --timestamp %t
  -p, --pid %p         -P, --host-pid %P    -F, --pidfd %F    -I, --host-tid %I
  -h, --hostname %h    -u, --uid %u         -g, --gid %g      -M, --dump-mode %d
  -c, --limit-size %c

With a host pid or a host name the container runtime of this machine is asked
which container and pod it was; otherwise nothing is looked up.

Settings are read from the environment and, when COMPOSER_HOME is set or the
program is installed as \`cdc\`, from .env in that directory:
${settings()}

Exit codes: 0 done; 1 no bundle, no core, or no pod for the host name;
32 time limit (the bundle is valid); 128+n ended by signal n (likewise).
`
}

function settings(): string {
  return COMPOSER_SETTINGS.map(({ name, defaultValue }) => ` ${name}=${defaultValue}`).join('\n')
}
