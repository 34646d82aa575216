# The Docker engine that we start where none answers: start, recognise, stop.
# shellcheck shell=bash disable=SC2154 # The names are from lib.sh.

pidfile=$cache/dockerd.pid

# Is the dockerd that we started still running? A pid alone proves nothing after a reboot.
engine_is_ours() {
  [[ -s $pidfile ]] && tr '\0' ' ' 2>/dev/null <"/proc/$(<"$pidfile")/cmdline" | grep -qF -- "--pidfile $pidfile"
}

# Is the capability (by its bit) in this machine's bounding set?
capable() {
  local bounding
  bounding=$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)
  (((16#$bounding >> $1) & 1))
}
cap_sys_resource=24

start_engine() {
  local options=()
  engine_is_ours || rm -f "$pidfile"
  if ! capable $cap_sys_resource; then
    install -m 0755 "$here/runc-without-sys-resource.sh" "$cache/bin/netproof-runc"
    options=(--add-runtime "netproof-runc=$cache/bin/netproof-runc" --default-runtime netproof-runc)
  fi
  # A session of its own: an interrupt meant for this script must not end the engine.
  setsid dockerd --pidfile "$pidfile" "${options[@]}" >>"$logs/dockerd.log" 2>&1 </dev/null 9>&- &
  within 60 docker version || {
    tail -n 30 "$logs/dockerd.log"
    die "dockerd does not answer within 60 s; its log is $logs/dockerd.log"
  }
}

stop_engine() {
  local pid
  pid=$(<"$pidfile")
  kill "$pid"
  within 60 engine_is_gone "$pid" || die "dockerd (pid $pid) does not end within 60 s"
  rm -f "$pidfile"
}

engine_is_gone() {
  ! kill -0 "$1" 2>/dev/null
}
