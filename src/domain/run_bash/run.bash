
# From here on the text is the same for every release.
set -u -o pipefail
export LC_ALL=C
CONFIG=${SKIFF_HAPROXY_CONFIG:-/etc/skiff/haproxy.cfg}
SOCKET=${SKIFF_HAPROXY_SOCKET:-/run/skiff/haproxy.sock}
COUNT=${1:-1}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
docker=$(command -v docker) || { echo 'run.bash: docker is not installed' >&2; exit 1; }
started=() addresses=() stopped=()

step() { printf '%s\n' "$*"; }

# Ends the script the way it was before: the new containers are stopped but kept, old ones that were stopped run again.
fail() {
  printf 'run.bash: %s\n' "$*" >&2
  for name in "${started[@]}"; do
    docker logs --tail 50 "$name" >&2
    docker stop --time "$STOP_GRACE" "$name" >/dev/null
  done
  for name in "${stopped[@]}"; do docker start "$name" >/dev/null; done
  exit 1
}

# The variables stand in the file env, one after the other, each ended by a NUL byte. They go to docker by name or through
# a pipe, never on a command line. One with line breaks must be exported; all others need not be, so that an app's PATH
# or DOCKER_HOST does not become this script's.
lines=() exported=()
while IFS= read -r -d '' pair; do
  case $pair in
    *$'\n'* | *$'\r'*) exported+=("$pair") ;;
    *) lines+=("$pair") ;;
  esac
done < "$here/env" || true

# The highest fixed address of the network that no container has. The panel hands them out from the lowest on.
free_address() {
  local gateway used last
  gateway=$(docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' "$NETWORK") || return 1
  used=$(docker ps --all --quiet --filter "network=$NETWORK" | xargs -r docker inspect \
    --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{with .IPAMConfig}}{{.IPv4Address}}{{end}} {{end}}') || return 1
  used=" ${used//$'\n'/ } "
  for ((last = 127; last >= 2; last--)); do
    [[ $used == *" ${gateway%.*}.$last "* ]] || { printf '%s\n' "${gateway%.*}.$last"; return 0; }
  done
  return 1
}

# Running containers of the app that this script did not start.
others() {
  local name
  docker ps --filter "label=skiff.app=$APP" --filter "label=skiff.panel=$PANEL" --format '{{.Names}}' | while read -r name; do
    [[ " ${started[*]} " == *" $name "* ]] || printf '%s\n' "$name"
  done
}

# start NAME ADDRESS: the container as the panel starts it.
start() {
  local pair options=()
  for pair in "${LABELS[@]}"; do options+=(--label "$pair"); done
  for pair in "${MOUNTS[@]}"; do options+=(--mount "$pair"); done
  for pair in "${LOG_OPTIONS[@]}"; do options+=(--log-opt "$pair"); done
  [ -z "$MEMORY" ] || options+=(--memory "$MEMORY" --memory-swap "$MEMORY")
  [ -z "$CPUS" ] || options+=(--cpus "$CPUS")
  (
    for pair in "${exported[@]}"; do
      export "$pair" || exit 1
      options+=(--env "${pair%%=*}")
    done
    "$docker" run --detach --pull never --name "$1" --network "$NETWORK" --ip "$2" --restart "$RESTART" \
      --log-driver "$LOG_DRIVER" --stop-timeout "$STOP_GRACE" --env-file <(printf '%s\n' "${lines[@]}") \
      "${options[@]}" "$IMAGE"
  ) >/dev/null
}

# status ADDRESS: what the health path answers, such as 200.
status() {
  (
    exec 3<>"/dev/tcp/$1/$PORT" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: skiff-run.bash\r\nConnection: close\r\n\r\n' "$HEALTH_PATH" "$HEALTH_HOST" >&3
    IFS=' ' read -r -t "$HEALTH_TIMEOUT" _ status _ <&3
    printf '%s\n' "${status:-}"
  ) 2>/dev/null
}

# healthy NAME ADDRESS: asked once.
healthy() {
  case $HEALTH in
    http) [[ $(status "$2") == 2?? ]] ;;
    tcp) (exec 3<>"/dev/tcp/$2/$PORT") 2>/dev/null ;;
    alive) sleep "$HEALTH_ALIVE" && [ "$(docker inspect --format '{{.State.Running}}/{{.RestartCount}}' "$1")" = true/0 ] ;;
    command)
      local argv=()
      mapfile -d '' -t argv < "$here/health.argv"
      docker exec "$1" "${argv[@]}" >/dev/null 2>&1
      ;;
  esac
}

await_healthy() {
  local until=$((SECONDS + START_PERIOD))
  until healthy "$1" "$2"; do
    [ "$(docker inspect --format '{{.State.Running}}' "$1")" = true ] || fail "$1 ended before it was healthy. Its last lines:"
    [ "$SECONDS" -lt "$until" ] || fail "$1 was not healthy within $START_PERIOD seconds. Its last lines:"
    sleep 0.2
  done
}

proxy() { printf '%s\n' "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKET"; }
# The servers of the app's backend in the running proxy: name and connections.
servers() { proxy 'show stat' | awk -F, -v backend="$slot" '$1 == backend && $2 != "BACKEND" && $2 != "FRONTEND" { print $2, $5 }'; }

# The proxy's file lists exactly the new instances, so that a reload finds the same answer. First the file.
write_config() {
  local text=''
  for ((i = 0; i < ${#started[@]}; i++)); do
    text+="    server ${started[i]} ${addresses[i]}:$PORT weight $WEIGHT${PROTO:-}"$'\n'
  done
  # Hashes of passwords may stand in it: nobody else reads it on the way either.
  (umask 077; awk -v from="    # $slot servers: begin" -v to="    # $slot servers: end" -v text="$text" '
    $0 == to { skipping = 0 }
    !skipping { print }
    $0 == from { printf "%s", text; skipping = 1 }' "$CONFIG" > "$CONFIG.run") &&
    chmod --reference="$CONFIG" "$CONFIG.run" && { chown --reference="$CONFIG" "$CONFIG.run" 2>/dev/null; true; } && mv -f "$CONFIG.run" "$CONFIG"
}

switch() {
  local answer
  write_config || fail "$CONFIG cannot be written. Run this as root or as the user skiff."
  for ((i = 0; i < ${#started[@]}; i++)); do
    answer=$(proxy "add server $slot/${started[i]} ${addresses[i]}:$PORT weight $WEIGHT${PROTO:-}; set server $slot/${started[i]} state ready")
    servers | grep -q "^${started[i]} " || fail "The proxy did not take ${started[i]}: $answer"
  done
  for name in $(servers | cut -d ' ' -f 1); do
    [[ " ${started[*]} " == *" $name "* ]] || proxy "set server $slot/$name state drain" >/dev/null
  done
}

# Waits until the old servers have no connections left, or their time is over.
drain() {
  local until=$((SECONDS + DRAIN)) busy
  while [ "$SECONDS" -lt "$until" ]; do
    busy=$(servers | while read -r name connections; do
      [[ " ${started[*]} " == *" $name "* ]] || [ "$connections" -eq 0 ] || printf '%s ' "$name"
    done)
    [ -n "$busy" ] || return 0
    sleep 0.5
  done
}

dismiss() {
  for name in $(servers | cut -d ' ' -f 1); do
    [[ " ${started[*]} " == *" $name "* ]] && continue
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      proxy "set server $slot/$name state maint; shutdown sessions server $slot/$name; del server $slot/$name" | grep -q 'Server deleted' && break
      sleep 0.5
    done
  done
}

[[ $COUNT =~ ^[1-9][0-9]?$ ]] || { echo 'usage: bash run.bash [how many instances, 1 to 99]' >&2; exit 2; }
docker image inspect "$IMAGE" >/dev/null || fail "The image $IMAGE is not on this host."
if [ -n "$PORT" ]; then
  command -v socat >/dev/null || fail 'socat is not installed: apt-get install socat'
  slot=$(awk -v app="    # app $APP" '$0 == app { getline; print $2; exit }' "$CONFIG")
  [[ $slot =~ ^b[0-9]+$ ]] || fail "The proxy's file $CONFIG has no backend of this app."
  if grep -qx "    # $slot speaks h2c" "$CONFIG"; then
    PROTO=' proto h2'
    # Bash speaks no HTTP/2: that the port opens has to do.
    [ "$HEALTH" != http ] || HEALTH=tcp
  fi
  ! grep -qx "    # $slot is told who comes" "$CONFIG" || PROTO=' send-proxy-v2'
fi

if [ "$STOP_FIRST" = yes ]; then
  for name in $(others); do
    step "stop $name, which may not run beside the new one"
    docker stop --time "$STOP_GRACE" "$name" >/dev/null || fail "$name cannot be stopped."
    stopped+=("$name")
  done
fi
for ((n = 1; n <= COUNT; n++)); do
  address=$(free_address) || fail "The network $NETWORK is not there, or has no free address."
  name=skiff-${APP//-/}-v$NUMBER-$$-$n
  step "start $name at $address"
  start "$name" "$address" || fail "$name cannot be started."
  started+=("$name") addresses+=("$address")
done
for ((i = 0; i < ${#started[@]}; i++)); do
  step "wait until ${started[i]} is healthy"
  await_healthy "${started[i]}" "${addresses[i]}"
done
if [ -n "$PORT" ]; then
  step "turn the proxy to v$NUMBER"
  switch
  step "let the old ones finish their requests, up to $DRAIN s"
  drain
fi
for name in $(others); do
  step "stop $name"
  docker stop --time "$STOP_GRACE" "$name" >/dev/null
done
[ -z "$PORT" ] || dismiss
step "v$NUMBER runs: ${started[*]}"
