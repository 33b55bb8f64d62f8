# What version 9's agent does to a node when it starts; HOST_DIR and CORE_DIR are set.
set -e
mkdir -p "$HOST_DIR" "$CORE_DIR"
# its composer, as far as an upgrade goes: one file per crash, locked while it is written
cat >"$HOST_DIR/cdc" <<'END'
#!/bin/sh
for flag; do
  case $flag in -p=*) pid=${flag#-p=} ;; -d=*) dir=${flag#-d=} ;; esac
done
exec 9>"$dir/version-9-$pid.zip"
flock -x 9
cat >&9
END
chmod 755 "$HOST_DIR/cdc"
take() {
  name=${1##*/} old=$(cat "/proc/sys/$1")
  [ "$old" = "$2" ] && return
  printf %s "$old" >"$HOST_DIR/$name.bak"
  printf '%s\n' "$2" >"/proc/sys/$1"
}
take kernel/core_pattern "|$HOST_DIR/cdc -c=%c -e=%e -p=%p -s=%s -t=%t -d=$CORE_DIR -h=%h -E=%E"
take kernel/core_pipe_limit 128
take fs/suid_dumpable 2
printf 'LOG_LEVEL=Warn\nIGNORE_CRIO=false\nCRIO_IMAGE_CMD=img\nUSE_CRIO_CONF=false\nTIMEOUT=600\n' >"$HOST_DIR/.env"
echo 'INFO - now - of version 9' >"$HOST_DIR/composer.log"
