# Installs what Skiff needs on a host from its distribution: Docker, HAProxy, socat, sudo. What is there is left as it is.
# The distribution's own HAProxy service is kept from starting only where this script brought it.
# REGISTRY: "yes" for docker-registry too, whose own service listens on all addresses: it is masked before it is installed.
# RENEWS: "yes" for what renew.bash needs.
# NOW: the time by the panel's clock in seconds since 1970, or empty. LOCK_TRIES: how often apt's lock is asked for, or empty.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
# Another package manager, such as unattended upgrades, is waited for this long.
LOCK_TRIES=${LOCK_TRIES:-60}
LOCK_PAUSE_S=3
# Docker takes some 400 MB with the packages as they are fetched; anything else a fraction.
DOCKER_MB=600 OTHERS_MB=100
# Signatures are dated: a clock that is further off makes good ones bad.
CLOCK_S=300

refuse() { echo "::reason $*"; exit 1; }

# Distributions that were tried; what is built on them under another name was not.
os() { (. /etc/os-release 2>/dev/null && printf '%s' "${!1:-}"); }
least=
case $(os ID) in
  debian | raspbian) least=12 ;;
  ubuntu) least=24 ;;
esac
release=$(os VERSION_ID)
# Debian before its release has no number yet.
if [ -z "$least" ] || { [ -n "$release" ] && ! [ "${release%%.*}" -ge "$least" ] 2>/dev/null; }; then
  name=$(os PRETTY_NAME)
  refuse "This server runs ${name:-an unknown system}. Skiff makes servers with Debian 12 or newer and Ubuntu 24.04 or newer ready. Nothing was changed on it."
fi

missing=()
need() { # need PROGRAM PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need dockerd docker.io
need haproxy haproxy
need socat socat
need sudo sudo
need ss iproute2
need iptables iptables
[ "${REGISTRY:-}" != yes ] || need docker-registry docker-registry
if [ "${RENEWS:-}" = yes ]; then
  need acme-tiny acme-tiny
  need openssl openssl
  [ -d /run/systemd/system ] || need cron cron
fi
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
# Newer distributions keep Docker's command, which run.bash uses, apart.
separate_cli() { [ -n "$(apt-cache show docker-cli 2>/dev/null)" ]; }
if [ ${#missing[@]} -eq 0 ] && command -v docker >/dev/null 2>&1; then
  echo "everything is installed"
  echo "::state unchanged"
  exit 0
fi
command -v apt-get >/dev/null 2>&1 || refuse "apt-get is not there, and these are missing: ${missing[*]:-docker}. Install them by hand, then try again."

clock() { # clock WHAT-THE-PANEL-SAYS: refuses for a clock that is off
  refuse "The server's clock is wrong: it says $(date -u '+%Y-%m-%d %H:%M UTC')${1:-}. Package signatures and certificates do not hold at such a time. Set it with: timedatectl set-ntp true (or: date -u -s 'YYYY-MM-DD HH:MM'), then try again."
}
if [[ ${NOW:-} =~ ^[0-9]+$ ]]; then
  off=$(($(date +%s) - NOW))
  [ "${off#-}" -le "$CLOCK_S" ] || clock ", the panel's clock says $(date -u -d "@$NOW" '+%Y-%m-%d %H:%M UTC')"
fi
needs=$OTHERS_MB
case " ${missing[*]} " in *" docker.io "*) needs=$DOCKER_MB ;; esac
for folder in /var/cache/apt /var/lib /usr; do
  read -r free size <<< "$(stat -f -c '%a %S' "$folder" 2>/dev/null || echo 0 0)"
  mb=$((free * size / 1000000))
  [ "$size" = 0 ] || [ "$mb" -ge "$needs" ] ||
    refuse "The disk is nearly full: $folder has $mb MB free, and the packages that are missing need $needs MB. Make room, then try again. Nothing was changed."
done

log=$(mktemp) || refuse "No temporary file can be made: is the disk full?"
policy=
clean_up() { rm -f "$log"; [ -z "$policy" ] || rm -f "$policy"; }
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

apt() { # apt WHAT ARGUMENTS…: waits for another package manager, shows what apt says
  local what=$1 tries holder; shift
  for ((tries = 0; tries < LOCK_TRIES; tries++)); do
    if apt-get -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any -qq "$@" </dev/null >"$log" 2>&1; then
      sed -n 's/^Setting up \(.*\) \.\.\.$/set up \1/p' "$log"
      return 0
    fi
    if ! grep -q 'Could not get lock\|is another process using it' "$log"; then
      tail -n 40 "$log"
      if grep -q 'No space left on device' "$log"; then refuse "The disk is full: the packages need $needs MB below /var and /usr. Make room, then try again."; fi
      if grep -q 'is not valid yet\|certificate is not yet valid\|certificate is not yet activated' "$log"; then clock; fi
      if grep -q 'Could not resolve\|Temporary failure resolving\|Could not connect\|Failed to fetch\|Unable to connect' "$log"; then
        refuse "The packages could not be fetched: this server does not reach its package mirror. Check its network and DNS, then try again."
      fi
      if grep -q 'Unable to locate package\|has no installation candidate' "$log"; then
        refuse "This server's package sources do not have $(sed -n 's/.*\(Unable to locate package\|Package\) //p' "$log" | head -n 1 | cut -d' ' -f1). On Ubuntu, enable \"universe\"; then try again."
      fi
      refuse "apt could not $what; its last words are above."
    fi
    holder=$(sed -n 's/.*held by process \([0-9]* ([^)]*)\).*/\1/p' "$log" | head -n 1)
    [ "$tries" -gt 0 ] || echo "waiting for another package manager: process ${holder:-unknown}"
    sleep "$LOCK_PAUSE_S"
  done
  refuse "Another package manager (process ${holder:-unknown}) has held apt's lock for $((LOCK_TRIES * LOCK_PAUSE_S)) seconds. Let it finish, then try again."
}

# A server that lost its power while packages were installed.
if [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] || [ -n "$(dpkg --audit 2>/dev/null)" ]; then
  echo "an installation was interrupted on this server: finishing it"
  dpkg --force-confold --configure -a </dev/null >"$log" 2>&1 || tail -n 20 "$log"
fi
apt "read the package lists" update
if ! command -v docker >/dev/null 2>&1 && separate_cli; then missing+=(docker-cli); fi

mask() { # mask SERVICE, before it is installed, so that it takes no port in between; by hand, for systemctl asks for the unit
  [ ! -e "/etc/systemd/system/$1.service" ] || return 0
  mkdir -p /etc/systemd/system && ln -s /dev/null "/etc/systemd/system/$1.service"
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}
brings_haproxy=no brings_registry=no
case " ${missing[*]} " in *" docker-registry "*) brings_registry=yes ;; esac
case " ${missing[*]} " in *" haproxy "*) brings_haproxy=yes ;; esac
[ "$brings_haproxy" = no ] || mask haproxy
if [ "$brings_registry" = yes ]; then
  mask docker-registry
  # Started all the same, it is on loopback.
  [ -e /etc/docker/registry/config.yml ] || {
    mkdir -p /etc/docker/registry
    printf 'version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /var/lib/docker-registry\nhttp:\n  addr: 127.0.0.1:5000\n' > /etc/docker/registry/config.yml
  }
fi
if [ ! -d /run/systemd/system ] && [ ! -e /usr/sbin/policy-rc.d ]; then
  policy=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\n# Made by Skiff for the time of one installation.\nexit 101\n' > "$policy" && chmod 755 "$policy"
fi
echo "installing ${missing[*]}"
apt "install ${missing[*]}" install -y --no-install-recommends "${missing[@]}"
if [ ! -d /run/systemd/system ]; then
  [ "$brings_haproxy" = no ] || update-rc.d haproxy disable >/dev/null 2>&1 || true
  [ "$brings_registry" = no ] || update-rc.d docker-registry disable >/dev/null 2>&1 || true
fi
echo "::state changed"
