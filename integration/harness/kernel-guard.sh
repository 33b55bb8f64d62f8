#!/bin/sh
# usage: kernel-guard.sh LOCK_FILE
# Waits for the machine-wide lock and says `locked`; when its standard input ends, be it that the
# test is done or that it was killed, puts the sysctls of core dumps back and lets go of the lock.
trap '' HUP INT TERM
cd /proc/sys || exit 1
exec 9>>"$1"
flock 9 || exit 1
pattern=$(cat kernel/core_pattern) limit=$(cat kernel/core_pipe_limit) dumpable=$(cat fs/suid_dumpable)
back() { [ "$(cat "$1")" = "$2" ] || printf '%s\n' "$2" >"$1"; }
echo locked
cat >/dev/null 9>&-
back kernel/core_pattern "$pattern"
back kernel/core_pipe_limit "$limit"
back fs/suid_dumpable "$dumpable"
