# Looks whether this host is still as it was made, one NAME=value per line, and changes nothing. What a value should be is known elsewhere.
# PUBLIC_KEY: the line that lets the panel in. HTTP_PORT, HTTPS_PORT, PEER_PORT, REGISTRY_PORT: where things are to listen; empty where nothing is.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
SOCKET=/var/run/docker.sock
say() { printf '%s=%s\n' "$1" "$2"; }
yes_if() { if "${@:2}" >/dev/null 2>&1; then say "$1" yes; else say "$1" no; fi; }

# The time first: it is compared on its arrival.
say CLOCK_MS "$(date +%s%3N)"
systemd() { [ -d /run/systemd/system ]; }
if systemd; then say INIT systemd; else say INIT none; fi

missing=
for program in dockerd docker haproxy socat sudo ss iptables; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "${REGISTRY_PORT:-}" ] || command -v docker-registry >/dev/null 2>&1 || missing="$missing docker-registry"
say MISSING "${missing# }"
say DOCKER "$(dockerd --version 2>/dev/null | sed -n 's/^Docker version \([^, ]*\).*/\1/p')"
say HAPROXY "$(haproxy -v 2>/dev/null | sed -n '1s/^HA-\{0,1\}Proxy version \([^ ]*\).*/\1/p')"

yes_if USER getent passwd skiff
say GROUPS_OF_USER "$(id -nG skiff 2>/dev/null)"
say SUDOERS "$(head -c 300 /etc/sudoers.d/skiff 2>/dev/null | tr '\n' ' ' | sed 's/ *$//')"
say SUDOERS_MODE "$(stat -c '%a %U:%G' /etc/sudoers.d/skiff 2>/dev/null)"
home=$(getent passwd skiff | cut -d: -f6)
yes_if KEY grep -qxF -- "${PUBLIC_KEY:-}" "${home:-/nonexistent}/.ssh/authorized_keys"

for folder in /etc/skiff /etc/skiff/maps /etc/skiff/certs /var/lib/skiff /var/lib/skiff/apps /run/skiff; do
  if [ -L "$folder" ]; then state="a symbolic link"; else state=$(stat -c '%a %U:%G' "$folder" 2>/dev/null); fi
  say FOLDER "$folder ${state:-gone}"
done

ask() { # ask PATH: the body of dockerd's answer
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKET" 2>/dev/null | tr -d '\r' | sed '1,/^$/d'
}
enabled() { # enabled SERVICE: starts with the machine
  if systemd; then systemctl is-enabled --quiet "$1.service"; else ls /etc/rc2.d/S??"$1"; fi
}
if [ "$(ask /_ping)" = OK ]; then say DOCKER_ANSWERS yes; else say DOCKER_ANSWERS no; fi
yes_if DOCKER_ENABLED enabled docker
info=$(ask /info)
live=no
case $info in *'"LiveRestoreEnabled":true'*) live=yes ;; esac
# Somebody's own wish: Swarm refuses it, or the file says no.
case $info in *'"LocalNodeState":"active"'*) live=theirs ;; esac
if [ "$live" = no ] && grep -q '"live-restore"[[:space:]]*:[[:space:]]*false' /etc/docker/daemon.json 2>/dev/null; then live=theirs; fi
say LIVE_RESTORE "$live"
if dockerd --help 2>/dev/null | grep -- --validate >/dev/null && [ -e /etc/docker/daemon.json ]; then
  if said=$(dockerd --validate --config-file /etc/docker/daemon.json 2>&1); then say DAEMON_JSON valid; else say DAEMON_JSON "$(printf '%s' "$said" | tail -n 1 | cut -c1-200)"; fi
fi

listener() { # listener PORT: the program; "?" where only root may know
  local lines
  # We listen on IPv4; who listens on IPv6 alone is in nobody's way.
  lines=$(ss -H -ltnp "sport = :$1" 2>/dev/null | awk '$4 !~ /^\[/ || $4 ~ /^\[::ffff:/')
  case $lines in *'(("'*) printf '%s' "$lines" | sed -n 's/.*(("\([^"]*\)",pid=\([0-9]*\).*/\1/p' | head -n 1 ;; ?*) echo '?' ;; esac
}
service=/etc/init.d/skiff-haproxy
! systemd || service=/etc/systemd/system/skiff-haproxy.service
serves() { [ -x /usr/local/lib/skiff/start-haproxy ] && grep -q /usr/local/lib/skiff/start-haproxy "$service"; }
yes_if PROXY_SERVICE serves
yes_if PROXY_ENABLED enabled skiff-haproxy
processes=$(printf 'show proc\n' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy-master.sock 2>/dev/null)
if [ -n "$processes" ]; then say PROXY_RUNS yes; else say PROXY_RUNS no; fi
# The one that takes new connections, first of all in the list.
say PROXY_VERSION "$(printf '%s\n' "$processes" | awk '$2 == "worker" { print $5; exit }')"
say PROXY_LISTENER "$(listener "${HTTP_PORT:-80}")"
[ -z "${HTTPS_PORT:-}" ] || say HTTPS_LISTENER "$(listener "$HTTPS_PORT")"
[ -z "${PEER_PORT:-}" ] || say PEER_LISTENER "$(listener "$PEER_PORT")"
# Those of apps without HTTP: one that was taken while the proxy was down is not opened.
for port in $(sed -n 's/^frontend tcp-\([0-9]*\) .*/\1/p' /etc/skiff/haproxy.cfg 2>/dev/null); do
  say APP_PORT "$port $(listener "$port")"
done
for socket in haproxy.sock haproxy-master.sock; do
  say SOCKET "/run/skiff/$socket $(stat -c '%a %G' "/run/skiff/$socket" 2>/dev/null || echo gone)"
done

if systemd; then yes_if REGISTRY_SERVICE test -e /etc/systemd/system/skiff-registry.service; else yes_if REGISTRY_SERVICE test -x /etc/init.d/skiff-registry; fi
[ -z "${REGISTRY_PORT:-}" ] || say REGISTRY_LISTENER "$(listener "$REGISTRY_PORT")"

folder=/var/lib/docker
[ -d "$folder" ] || folder=/var/lib
read -r blocks free size <<< "$(stat -f -c '%b %a %S' "$folder" 2>/dev/null || echo 0 0 0)"
say DISK_MIB "$((blocks * size / 1048576))"
say DISK_FREE_MIB "$((free * size / 1048576))"
if [ -e /var/run/reboot-required ]; then
  say REBOOT "$(sort -u /var/run/reboot-required.pkgs 2>/dev/null | head -n 5 | tr '\n' ' ')"
fi
say DONE yes
