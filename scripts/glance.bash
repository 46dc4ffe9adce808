# Looks at this host in passing, one NAME=value per line, as the user who signs in, and changes nothing. HTTP_PORT, HTTPS_PORT: where the proxy
# listens; no HTTPS_PORT where it serves none.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { printf '%s=%s\n' "$1" "$2"; }

# The time first: it is compared on its arrival.
say CLOCK_MS "$(date +%s%3N)"
folder=/var/lib/docker
[ -d "$folder" ] || folder=/var/lib
read -r free size <<< "$(stat -f -c '%a %S' "$folder" 2>/dev/null || echo 0 0)"
[ "$size" = 0 ] || say DISK_FREE_MIB "$((free * size / 1048576))"
if [ -n "$(printf 'show proc\n' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy-master.sock 2>/dev/null)" ]; then say PROXY_RUNS yes; else say PROXY_RUNS no; fi
if [ -n "$(ss -H -ltn "sport = :${HTTP_PORT:-80}" 2>/dev/null)" ]; then say LISTENS yes; else say LISTENS no; fi
if [ -n "${HTTPS_PORT:-}" ]; then
  if [ -n "$(ss -H -ltn "sport = :$HTTPS_PORT" 2>/dev/null)" ]; then say LISTENS_HTTPS yes; else say LISTENS_HTTPS no; fi
fi
say DONE yes
