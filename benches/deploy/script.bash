#!/bin/bash
# What a careful team writes for itself, and what Skiff is measured against: one app on one host over ssh. A connection for each of its three
# phases; the new container is healthy before the proxy turns to it, and the proxy has turned before the old one is stopped.
#   script.bash ADDRESS PORT KEY KNOWN_HOSTS IMAGE NUMBER PAUSE
# PAUSE is what lies between two health checks, in seconds. NUMBER names the new container; the one of NUMBER-1 is the old.
set -euo pipefail
ADDRESS=$1 PORT=$2 KEY=$3 KNOWN=$4 IMAGE=$5 NUMBER=$6 PAUSE=$7
on_host() { ssh -q -i "$KEY" -p "$PORT" -o BatchMode=yes -o "UserKnownHostsFile=$KNOWN" "root@$ADDRESS" bash -s -- "$@"; }

ip=$(on_host "$IMAGE" "$NUMBER" "$PAUSE" <<'ON_HOST'
set -euo pipefail
docker pull -q "$1" >/dev/null
docker run -d --name "script-$2" --network script --restart unless-stopped "$1" >/dev/null
ip=$(docker inspect -f '{{.NetworkSettings.Networks.script.IPAddress}}' "script-$2")
for try in $(seq 300); do
  if curl -fs -m 2 -o /dev/null "http://$ip:8080/up"; then echo "$ip"; exit 0; fi
  sleep "$3"
done
docker logs --tail 50 "script-$2" >&2
exit 1
ON_HOST
)

on_host "$ip" <<'ON_HOST'
set -euo pipefail
cfg=/etc/script-haproxy.cfg
sed "s/^  server app .*/  server app $1:8080/" "$cfg" > "$cfg.new"
haproxy -c -q -f "$cfg.new"
mv "$cfg.new" "$cfg"
kill -USR2 "$(cat /run/script-haproxy.pid)"
ON_HOST

on_host "$((NUMBER - 1))" <<'ON_HOST'
set -euo pipefail
docker stop "script-$1" >/dev/null
docker rm "script-$1" >/dev/null
ON_HOST
