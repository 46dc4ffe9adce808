# Says what this host is, one NAME=value per line. Changes nothing; needs no rights.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf '%s=%s\n' "$1" "$2"; }

os=$(. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-}")
say OS "${os:-unknown}"
say KERNEL "$(uname -r)"
case $(uname -m) in
  x86_64) say ARCH amd64 ;;
  aarch64) say ARCH arm64 ;;
  *) say ARCH "$(uname -m)" ;;
esac
say CPUS "$(nproc)"
say MEMORY_MIB "$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)"

# Docker's data is what fills a disk; where there is none yet, it will be below /var/lib.
folder=/var/lib/docker
[ -d "$folder" ] || folder=/var/lib
# The file system is asked by stat: df cannot name the device of some mounts.
read -r blocks free size <<< "$(stat -f -c '%b %a %S' "$folder" 2>/dev/null || echo 0 0 0)"
say DISK_MIB "$((blocks * size / 1048576))"
say DISK_FREE_MIB "$((free * size / 1048576))"

say DOCKER "$(dockerd --version 2>/dev/null | sed -n 's/^Docker version \([^, ]*\).*/\1/p')"
say HAPROXY "$(haproxy -v 2>/dev/null | sed -n '1s/^HA-\{0,1\}Proxy version \([^ ]*\).*/\1/p')"
# The panel that made this server ready left its id here.
say PANEL "$(head -c 64 /var/lib/skiff/panel 2>/dev/null | tr -cd '0-9a-f-')"
if [ -d /run/systemd/system ]; then say INIT systemd; else say INIT none; fi
