#!/bin/sh
# usage: kernel-guard.sh LOCK_FILE SCRATCH_PREFIX
# Waits for the machine-wide lock and prints `locked`. When its standard input ends, because the
# test wrote `done` or was killed, it restores the sysctls of core dumps and releases the lock.
trap '' HUP INT TERM
cd /proc/sys || exit 1
exec 9>>"$1"
flock 9 || exit 1
pattern=$(cat kernel/core_pattern) limit=$(cat kernel/core_pipe_limit) dumpable=$(cat fs/suid_dumpable)
# the pattern of a run that no longer holds the lock is a left-over: the kernel's defaults are restored instead
case $pattern in "|${2%/*}/cdh-"* | "@@${2%/*}/cdh-"*) pattern=core limit=0 dumpable=0 ;; esac
back() { [ "$(cat "$1")" = "$2" ] || printf '%s\n' "$2" >"$1"; }
give_back() {
  back kernel/core_pattern "$pattern"
  back kernel/core_pipe_limit "$limit"
  back fs/suid_dumpable "$dumpable"
}
# containers outlive a killed test, and an agent in one would set the pattern again
end_containers() {
  for process in /proc/[0-9]*; do
    grep -qsE "^([^ ]+ ){4}/ .*=$1" "$process/mountinfo" && kill -9 "${process#/proc/}" 2>/dev/null
  done
}
echo locked
said=$(cat 9>&-)
if [ "$said" = done ]; then
  give_back
else
  end_containers "$2"
  give_back
  # an agent beside the test may still be running
  sleep 1
  give_back
fi
