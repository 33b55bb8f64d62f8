# What version 9's `remove`, its preStop, does; HOST_DIR is set.
set -e
for key in kernel/core_pattern kernel/core_pipe_limit fs/suid_dumpable; do
  backup="$HOST_DIR/${key##*/}.bak"
  printf '%s\n' "$(cat "$backup")" >"/proc/sys/$key"
  rm "$backup"
done
rm "$HOST_DIR/cdc"
rm "$HOST_DIR/.env"
# it then deletes crictl only if there is none, and so always ends with 1
exit 1
