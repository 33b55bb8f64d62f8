#!/bin/sh
# usage: kernel-guard.sh LOCK_FILE SCRATCH_PREFIX
# Waits for the machine-wide lock and says `locked`; when its standard input ends, be it that the
# test said `done` or that it was killed, puts the sysctls of core dumps back and lets go of the lock.
trap '' HUP INT TERM
cd /proc/sys || exit 1
exec 9>>"$1"
flock 9 || exit 1
pattern=$(cat kernel/core_pattern) limit=$(cat kernel/core_pipe_limit) dumpable=$(cat fs/suid_dumpable)
# whoever has the lock has the kernel: a composer of ours that is found is one that nobody waits for
case $pattern in "|${2%/*}/cdh-"*) pattern=core limit=0 dumpable=0 ;; esac
back() { [ "$(cat "$1")" = "$2" ] || printf '%s\n' "$2" >"$1"; }
give_back() {
  back kernel/core_pattern "$pattern"
  back kernel/core_pipe_limit "$limit"
  back fs/suid_dumpable "$dumpable"
}
# containers outlive a test that is killed, and an agent in one would take the kernel again
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
  # an agent beside the test may not have heard yet
  sleep 1
  give_back
fi
