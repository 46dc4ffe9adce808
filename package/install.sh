#!/bin/bash
# Installs Skiff from its signed package on Debian 12 or 13 or Ubuntu 24.04 (amd64, systemd), without a compiler, and starts the panel.
# Run it as root or by a user who may sudo; again at any time: what is there already stays.
#   bash install.sh            the package that lies beside this file, with SHA256SUMS and SHA256SUMS.sig, else the one at the address it was made for, if any
#   bash install.sh FROM       the package in that folder, that file, or at that address (the address of a folder, or of the .deb in it)
# SKIFF_DOMAIN=panel.example.org   the panel's own name, reached by HTTPS ("auto": one made of this server's public address)
#   with it SKIFF_ACME_TERMS=agree, as its certificate comes from Let's Encrypt (or SKIFF_ACME_DIRECTORY=…, with SKIFF_ACME_ROOT=FILE, SKIFF_ACME_EAB_ID=… and SKIFF_ACME_EAB_KEY_FILE=FILE), and SKIFF_ACME_EMAIL=…
# DATABASE_URL=…   a PostgreSQL of yours      SKIFF_LISTEN=…   where the panel listens (127.0.0.1:7070)      SKIFF_HTTP_PORT=…, SKIFF_HTTPS_PORT=…   the proxy's ports
# What it does: looks at the system; fetches the package; compares it with SHA256SUMS, and the signature of SHA256SUMS with the key below;
# installs it with apt; runs /usr/lib/skiff/set-up, which the package brings.
set -euo pipefail
umask 022
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# Written here when the package is made: who signs it, where it is published (or nothing), and the C library that the program needs (or nothing).
SIGNER='@SIGNER@'
PUBLISHED='@PUBLISHED@'
GLIBC='@GLIBC@'
# The panel, PostgreSQL, HAProxy and the sshd for the panel use about 140 MB when nothing is deployed, and Docker about 115 beside them.
LEAST_MEMORY_MB=450
# Docker, PostgreSQL, HAProxy and the package.
NEED_MB=1500
# Another package manager may be at work on a fresh server; it is waited for that long.
LOCK_S=180
# The package is some 10 MB; a slow line is waited for, a dead one is not.
FETCH_S=900
# Nothing that is published is longer, in KiB: whoever is on the way fills no disk.
SUMS_KIB=64 PACKAGE_KIB=262144

fail() { printf '\ninstall.sh: %s\n' "$*" >&2; more "$*" >&2; exit 1; }
LEADS_TO=
step() { printf '\n\033[1m── %s\033[0m\n' "$*"; }

# The same in install.sh, machine.bash and upgrade.bash: which part of docs/guide/install.md is about what failed, and the line that leads there.
place_of() {
  case $1 in
    "the upgrade to "*) echo an-upgrade-was-given-up-or-taken-back ;;
    *"upgrade has stopped"* | *"upgrade is underway"* | *"upgrade ended"*) echo an-upgrade-stops-in-the-middle ;;
    "the panel does not "* | "the user "*) echo the-panel-does-not-start ;;
    *"disk is "* | *"disk full"*) echo no-room-on-the-disk ;;
    *"needs root"* | *systemd,* | *"for amd64."* | *"nor Ubuntu"* | *"package is for"* | *"of memory;"* | *"C library"* | "This server runs"*) echo a-machine-it-is-not-for ;;
    SKIFF_BINARY* | "Rust is "* | *libraries* | *"could not be built"* | *'"hello" does not'*) echo building-it ;;
    SKIFF_[DAHL]* | DATABASE_URL* | "certificates come from"*) echo a-setting-is-refused ;;
    "port "*) echo a-port-is-taken ;;
    *"package manager"* | *"packages could not"* | "apt could not"* | *"half installed"* | *"package sources"* | *"clock is"* | "apt-get is"*) echo packages-cannot-be-installed ;;
    *SHA256SUMS* | *"could not be fetched"* | *"no package"* | *"neither a file"* | *"was signed"* | *"package of Skiff"* | *"cannot be read"* | "no key "*) echo the-package-is-refused ;;
    *"is installed here"* | *"self-upgrade"* | *upgrade* | *"newer package"* | *"is older than"* | *"by its package here"* | *"never started"* | *"for the way back"*) echo an-upgrade-does-not-begin ;;
    *"this machine could"* | "the sshd "* | *sample* | *version*deployed* | "The user "* | "The group "* | "The panel's key"* | *sudo* | *keys* | *.ssh*) echo the-machine-does-not-become-a-host ;;
    "this would remove"*) echo removed ;;
    *) echo when-it-does-not-work ;;
  esac
}
more() {
  if [ -n "${LEADS_TO:-}" ]; then echo "More: $LEADS_TO"
  elif command -v skiff >/dev/null 2>&1; then echo "More: skiff docs install#$(place_of "$1")"
  else echo "More: docs/guide/install.md#$(place_of "$1")"; fi
}

system_suits() {
  local id version name memory free glibc
  command -v apt-get >/dev/null 2>&1 && [ -r /etc/os-release ] || fail "this machine is neither Debian nor Ubuntu: the package is for those."
  id=$(. /etc/os-release; echo "${ID:-}") version=$(. /etc/os-release; echo "${VERSION_ID:-}") name=$(. /etc/os-release; echo "${PRETTY_NAME:-}")
  case $id-${version%%.*} in
    debian-12 | debian-13 | ubuntu-24 | ubuntu-25 | ubuntu-26) ;;
    *) fail "this machine runs ${name:-an unknown system}. Skiff's package is for Debian 12, Debian 13 and Ubuntu 24.04. Nothing was changed." ;;
  esac
  [ "$(dpkg --print-architecture)" = amd64 ] || fail "this machine is $(dpkg --print-architecture); the package is for amd64. On others bin/up builds Skiff from its repository."
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //')
  case $GLIBC in [0-9]*) dpkg --compare-versions "${glibc:-0}" ge "$GLIBC" || fail "this package was built for the C library $GLIBC or newer, and ${name:-this machine} has ${glibc:-none}. Nothing was changed. Take one that was built on Debian 12." ;; esac
  [ -d /run/systemd/system ] || fail "this machine does not run systemd, by which the package's panel is started. (bin/up in Skiff's repository does without.)"
  memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  [ "$memory" -ge "$LEAST_MEMORY_MB" ] || fail "this machine has $memory MB of memory; Skiff with PostgreSQL, Docker and HAProxy needs $LEAST_MEMORY_MB, and your apps more."
  free=$(df -Pm /var | awk 'NR == 2 { print $4 }')
  dpkg-query -W -f '${db:Status-Status}' skiff 2>/dev/null | grep -qx installed || [ "$free" -ge "$NEED_MB" ] ||
    fail "the disk is nearly full: /var has $free MB free, and about $NEED_MB are needed. Nothing was changed."
  echo "   $name, $memory MB of memory, $free MB of disk"
}

# The same as in machine.bash, which comes with the package.
name_suits() { # what was said of the panel's name and of who signs its certificate, before anything is changed
  local label='[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?' domain=${SKIFF_DOMAIN:-} email=${SKIFF_ACME_EMAIL:-} directory=${SKIFF_ACME_DIRECTORY:-} root=${SKIFF_ACME_ROOT:-} eab=${SKIFF_ACME_EAB_ID:-} key=${SKIFF_ACME_EAB_KEY_FILE:-}
  local signer="Let's Encrypt" name="^($label\.)+$label\$" number='\.[0-9]+$' address='^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:]]+$'
  if [ -n "$domain" ] && [ "$domain" != auto ]; then
    [ ${#domain} -le 253 ] && [[ $domain =~ $name ]] && [[ ! $domain =~ $number ]] ||
      fail "SKIFF_DOMAIN is a name such as panel.example.org, without https:// and without a path, or the word auto; not \"$domain\". Nothing was changed."
  fi
  [ -z "$email" ] || [[ $email =~ $address ]] || fail "SKIFF_ACME_EMAIL is an address such as you@example.org, not \"$email\". Nothing was changed."
  [ -z "$directory" ] || [[ $directory =~ ^https://[^[:space:]]+$ ]] || fail "SKIFF_ACME_DIRECTORY is the https:// address of an authority's directory, not \"$directory\". Nothing was changed."
  [ -z "$root" ] || [ -n "$directory" ] || fail "SKIFF_ACME_ROOT is the root of an authority of your own: say its SKIFF_ACME_DIRECTORY, too. Nothing was changed."
  [ -z "$root" ] || grep -q 'BEGIN CERTIFICATE' "$root" 2>/dev/null || fail "SKIFF_ACME_ROOT=$root is no file with a certificate in PEM form. Nothing was changed."
  [ -n "$eab" ] && [ -n "$key" ] || [ -z "$eab$key" ] || fail "SKIFF_ACME_EAB_ID and SKIFF_ACME_EAB_KEY_FILE go together: the id of the key that the authority wants accounts bound to, and a file with the key. Nothing was changed."
  [[ $eab =~ ^[[:graph:]]{0,200}$ ]] || fail "SKIFF_ACME_EAB_ID is the key's id as the authority shows it, without spaces. Nothing was changed."
  [ -z "$key" ] || grep -q '[^[:space:]]' "$key" 2>/dev/null || fail "SKIFF_ACME_EAB_KEY_FILE=$key is no file with a key. Nothing was changed."
  case ${SKIFF_ACME_TERMS:-} in
    agree) ;;
    '') [ -z "$domain$email$directory$eab" ] ||
      fail "certificates come from ${directory:-$signer}, which gives them to those who agree to its terms (https://letsencrypt.org/repository/ are those of Let's Encrypt). If you do: SKIFF_ACME_TERMS=agree. Nothing was changed." ;;
    *) fail "SKIFF_ACME_TERMS is the word agree, or nothing; not \"$SKIFF_ACME_TERMS\". Nothing was changed." ;;
  esac
}

# In a session of its own: a Ctrl-C reaches this script, which ends once the packages are whole, and never dpkg halfway.
# (DPkg::Lock::Timeout would not hold for the lock of the package lists, which a fresh server is at work on.)
apt_get() { # apt_get WHAT ARGUMENTS…
  local what=$1 waited=0; shift
  while :; do
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 setsid --wait apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
      -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any "$@" </dev/null >"$WORK/apt" 2>&1 && return 0
    grep -q 'Could not get lock' "$WORK/apt" && [ "$waited" -lt "$LOCK_S" ] || break
    [ "$waited" -gt 0 ] || echo "   waiting for another package manager"
    sleep 3; waited=$((waited + 3))
  done
  tail -n 15 "$WORK/apt" >&2
  ! grep -q 'Could not get lock' "$WORK/apt" || fail "another package manager has held apt's lock for $LOCK_S seconds; let it finish, then run this again."
  ! grep -q 'No space left' "$WORK/apt" || fail "the disk is full: about $NEED_MB MB are needed."
  ! grep -qE 'resolving|resolve|Could not connect|Unable to connect|Failed to fetch|timed out' "$WORK/apt" ||
    fail "packages could not be fetched: this machine does not reach its package mirror. Check its network and DNS, then run this again."
  fail "apt could not $what; its last words are above."
}

tools() { # what looking at the package needs
  local missing=()
  command -v ssh-keygen >/dev/null 2>&1 || missing+=(openssh-client)
  command -v curl >/dev/null 2>&1 || missing+=(curl)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  if [ -n "$(dpkg --audit)" ]; then
    echo "   finishing an installation of packages that was interrupted"
    DEBIAN_FRONTEND=noninteractive setsid --wait dpkg --force-confold --configure -a </dev/null >/dev/null 2>&1 || true
    apt_get "finish an interrupted installation" install -y -f
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "   installing ${missing[*]}"
  apt_get "read the package lists" update
  apt_get "install ${missing[*]}" install -y --no-install-recommends "${missing[@]}"
}

fetch() { # fetch ADDRESS FILE KIB
  (ulimit -f "$3"; exec curl -fsSL --proto '=https,http' --connect-timeout 20 --max-time "$FETCH_S" --retry 2 --max-filesize "$(($3 * 1024))" -o "$2" -- "$1") ||
    fail "$1 could not be fetched; curl's reason is above. Check the address and this machine's network."
}

get() { # puts SHA256SUMS, SHA256SUMS.sig and the package it names into $WORK
  local from=$1 named= folder
  case $from in
    http://* | https://*)
      case $from in *.deb) named=${from##*/} folder=${from%/*} ;; *) folder=${from%/} ;; esac
      fetch "$folder/SHA256SUMS" "$WORK/SHA256SUMS" "$SUMS_KIB"; fetch "$folder/SHA256SUMS.sig" "$WORK/SHA256SUMS.sig" "$SUMS_KIB" ;;
    *)
      if [ -d "$from" ]; then folder=${from%/}
      elif [ -f "$from" ]; then named=$(basename "$from") folder=$(dirname "$from")
      else fail "$from is neither a file nor a folder here, nor an address that begins with https://"; fi
      [ -f "$folder/SHA256SUMS" ] && [ -f "$folder/SHA256SUMS.sig" ] || fail "SHA256SUMS and SHA256SUMS.sig do not lie in $folder: without them nobody knows whose package that is."
      cp "$folder/SHA256SUMS" "$folder/SHA256SUMS.sig" "$WORK/" ;;
  esac
  printf 'skiff namespaces="skiff-release" %s\n' "$SIGNER" > "$WORK/signers"
  ssh-keygen -Y verify -f "$WORK/signers" -I skiff -n skiff-release -s "$WORK/SHA256SUMS.sig" < "$WORK/SHA256SUMS" >/dev/null 2>&1 ||
    fail "the signature of SHA256SUMS in $folder is not that of Skiff's key. Nothing was installed. Get the package again; if that does not help, tell whoever publishes it."
  NAME=${named:-$(sed -n 's/^[0-9a-f]\{64\}  \(skiff_[0-9A-Za-z.+~-]*_amd64\.deb\)$/\1/p' "$WORK/SHA256SUMS" | sort -V | tail -n 1)}
  [[ $NAME =~ ^skiff_[0-9A-Za-z.+~-]+_amd64\.deb$ ]] || fail "there is no package for amd64 in $folder."
  case $from in
    http://* | https://*) fetch "$folder/$NAME" "$WORK/$NAME" "$PACKAGE_KIB" ;;
    *) cp "$folder/$NAME" "$WORK/$NAME" || fail "$folder/$NAME cannot be read." ;;
  esac
  awk -v name="$NAME" 'NF == 2 && $2 == name' "$WORK/SHA256SUMS" > "$WORK/one"
  [ -s "$WORK/one" ] || fail "SHA256SUMS does not name $NAME. Nothing was installed."
  (cd "$WORK" && sha256sum --check --status one) || fail "$NAME is not the package that was signed: its bytes differ. Nothing was installed. Fetch it again."
}

main() {
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "this needs root, and sudo is not installed: run it as root."
    [ -f "$0" ] || fail "this needs root: … | sudo bash"
    exec sudo --preserve-env=DATABASE_URL,SKIFF_LISTEN,SKIFF_HTTP_PORT,SKIFF_HTTPS_PORT,SKIFF_DOMAIN,SKIFF_ACME_TERMS,SKIFF_ACME_EMAIL,SKIFF_ACME_DIRECTORY,SKIFF_ACME_ROOT,SKIFF_ACME_EAB_ID,SKIFF_ACME_EAB_KEY_FILE -- bash "$0" "$@"
  fi
  case ${1:-} in -*) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;; esac
  case $SIGNER in ssh-ed25519\ *) ;; *) fail "no key is written in this file: bin/package makes the one to be used, beside the package." ;; esac
  local began=$SECONDS here from=${1:-} have version
  here=$(dirname "$(readlink -f "$0" 2>/dev/null || echo /nowhere/x)")
  if [ -z "$from" ]; then
    if [ -f "$here/SHA256SUMS" ]; then from=$here; else from=$PUBLISHED; fi
  fi
  [ -n "$from" ] || fail "no package lies beside this file. Say where it is: bash install.sh FOLDER-OR-ADDRESS"
  WORK=$(mktemp -d /tmp/skiff-install.XXXXXX)
  trap 'rm -rf "$WORK"' EXIT
  trap 'exit 130' INT TERM HUP

  step "this machine"
  name_suits
  system_suits
  step "the package"
  tools
  get "$from"
  echo "   $NAME: signed and whole"
  have=$(dpkg-query -W -f '${db:Status-Status} ${Version}' skiff 2>/dev/null || true)
  version=$(dpkg-deb -f "$WORK/$NAME" Version)
  case $have in
    "installed $version") echo "   is installed already" ;;
    installed\ *) fail "Skiff ${have#* } is installed here. Another version comes with a copy of the database and a way back: sudo skiff self-upgrade --from $from" ;;
    *)
      if [ ! -d /usr/lib/postgresql ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        # Skiff starts a cluster of its own; Debian's on port 5432 is not needed.
        mkdir -p /etc/postgresql-common /var/lib/skiff-up
        echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
        echo /etc/postgresql-common/createcluster.conf >> /var/lib/skiff-up/files
      fi
      echo "   installing it, PostgreSQL and git (a minute or two)"
      apt_get "read the package lists" update
      # Docker, HAProxy and an sshd come with set-up, which keeps their own services from taking ports.
      apt_get "install $NAME" install -y --no-install-recommends "$WORK/$NAME" ;;
  esac
  rm -rf "$WORK"
  /usr/lib/skiff/set-up
  echo "The whole took $((SECONDS - began)) s."
}
# All of it was read before any of it runs: half a download does nothing.
main "$@"
