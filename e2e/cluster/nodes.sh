# The node containers' networks and life: started, connected, fenced off.
# shellcheck shell=bash disable=SC2154 # The names are from lib.sh.

running() {
  [[ $(docker container inspect -f '{{.State.Running}}' "$1" 2>/dev/null) == true ]]
}

# Where the other nodes reach it.
node_address() {
  docker container inspect -f "{{(index .NetworkSettings.Networks \"$cluster\").IPAddress}}" "$1"
}

start_nodes() {
  local name
  for name in $(nodes); do
    running "$name" || docker start "$name"
  done
  if docker container inspect "$backup" >/dev/null 2>&1; then
    running "$backup" || docker start "$backup"
  fi
}

# 192.168.5.2 to .4 are the nodes'; .10 stays free for the backup server.
connect_nodes() {
  local name number=2
  for name in $(nodes); do
    docker container inspect -f '{{json .NetworkSettings.Networks}}' "$name" | grep -q "\"$backup_network\":" ||
      docker network connect --ip "${backup_net%.*}.$number" "$backup_network" "$name"
    number=$((number + 1))
  done
}

# The nodes' bridge forwards to nothing but itself. Only on an engine of our own: another's firewall is not ours to change.
fence_engine() {
  iptables -w -C DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT 2>/dev/null ||
    iptables -w -I DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT
}

unfence_engine() {
  iptables -w -D DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT 2>/dev/null || true
}
