# What bin/up and the package do alike to make this machine run the panel: functions, sourced by both. Whoever sources it has said
#   ME (who speaks), SCRIPTS (the folder of scripts/), UNIT (the panel's unit), BINARY (where the program lies), NEED_MB
# Every function may be called again at any time: what is there already stays.

# What was made is noted here, so that a purge removes that and nothing else.
NOTES=/var/lib/skiff-up
DATA=/var/lib/skiff-panel
SETTINGS=/etc/default/skiff-panel
PANEL_USER=skiff-panel
SSHD_CONFIG=/etc/skiff-panel/sshd_config
# An old cluster may have to recover before the panel answers.
READY_S=90
# A build on a small server may take minutes; the panel's own limits end it before this.
DEPLOY_S=1800
# Another package manager may be at work on a fresh server; it is waited for that long.
LOCK_S=180

fail() { printf '\n%s: %s\n' "$ME" "$*" >&2; more "$*" >&2; exit 1; }
LEADS_TO=
step() { printf '\n\033[1m── %s\033[0m\n' "$*"; }
systemd() { [ -d /run/systemd/system ]; }

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

# ── small tools ───────────────────────────────────────────────────────────────────────────────────────────────────────

note() { mkdir -p "$NOTES"; grep -qxF -- "$2" "$NOTES/$1" 2>/dev/null || printf '%s\n' "$2" >> "$NOTES/$1"; }
noted() { cat "$NOTES/$1" 2>/dev/null || true; }
# A text value or number of a JSON answer on one or many lines.
json() { tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\{0,1\}\([^\",}]*\).*/\1/p"; }
port_owner() { ss -H -ltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p' | head -n 1; }
port_free() { [ -z "$(ss -H -ltn "sport = :$1" 2>/dev/null)" ]; }
write() { # write PATH MODE TEXT: 0 where it changed something
  [ "$(cat "$1" 2>/dev/null)" = "$3" ] && return 1
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "$3" > "$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1" || fail "$1 cannot be written: is the disk full?"
  note files "$1"
}
as_panel() { # runs a program as the panel's user with the panel's settings
  ( set -a; . "$SETTINGS"; set +a; cd /; exec setpriv --reuid="$PANEL_USER" --regid="$PANEL_USER" --init-groups env HOME="$DATA" "$@" )
}
admin() { as_panel "$BINARY" admin "$@"; }

free_megabytes() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# In a session of its own: a Ctrl-C reaches this script, which ends once the packages are whole, and never dpkg halfway.
apt_get() { # apt_get WHAT ARGUMENTS…
  local what=$1 log; shift
  log=$(mktemp)
  local waited=0
  until DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 SUDO_FORCE_REMOVE=yes setsid --wait apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any "$@" </dev/null >"$log" 2>&1; do
    if grep -q 'Could not get lock' "$log" && [ "$waited" -lt "$LOCK_S" ]; then
      [ "$waited" -gt 0 ] || echo "waiting for another package manager: $(sed -n 's/.*held by process \([0-9]* ([^)]*)\).*/process \1/p' "$log" | head -n 1)"
      sleep 3; waited=$((waited + 3))
      continue
    fi
    tail -n 15 "$log" >&2
    grep -q 'Could not get lock' "$log" && fail "another package manager has held apt's lock for $LOCK_S seconds; let it finish, then run this again."
    grep -q 'No space left' "$log" && fail "the disk is full: about $NEED_MB MB are needed."
    grep -qE 'resolving|resolve|Could not connect|Unable to connect|Failed to fetch|timed out' "$log" &&
      fail "the packages could not be fetched: this machine does not reach its package mirror. Check its network and DNS, then run this again."
    fail "apt could not $what; its last words are above."
  done
  rm -f "$log"
}
# However this ends: what was installed is noted, and nothing of this run's own stays behind.
packages_before= POLICY=
leave_machine() {
  [ -z "$packages_before" ] || note_packages
  [ -z "$POLICY" ] || rm -f "$POLICY"
}

mend_packages() { # what an interrupted installation left, ours or not: nothing can be installed or removed before that is whole
  [ -n "$(dpkg --audit)" ] || return 0
  echo "finishing an installation of packages that was interrupted"
  start_no_daemons
  DEBIAN_FRONTEND=noninteractive setsid --wait dpkg --force-confold --configure -a </dev/null >/dev/null 2>&1 || true
  apt_get "finish an interrupted installation" install -y -f
  [ -z "$POLICY" ] || { rm -f $POLICY; POLICY=; }
}
start_no_daemons() { # of packages while they are installed, where there is no systemd in which to mask them
  ! systemd && [ ! -e /usr/sbin/policy-rc.d ] || return 0
  POLICY=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\n# Made by Skiff for the time of one installation.\nexit 101\n' > $POLICY; chmod 755 $POLICY
}

remember_packages() { packages_before=$(dpkg-query -W -f '${binary:Package}\n' | sort); }
note_packages() { # whatever is installed now and was not
  local name
  comm -13 <(printf '%s\n' "$packages_before") <(dpkg-query -W -f '${binary:Package}\n' | sort) | while read -r name; do note packages "$name"; done
}

# ── daemons, with systemd and without ─────────────────────────────────────────────────────────────────────────────────

service() { # service NAME DESCRIPTION USER COMMAND: writes what starts it; restarts it where that, or its program, changed
  local name=$1 description=$2 user=$3 command=$4 changed=no
  if systemd; then
    if [ "$name" != skiff ]; then
      write "/etc/systemd/system/$name.service" 644 "[Unit]
Description=$description
After=network.target

[Service]
User=$user
ExecStart=$command
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target" && { systemctl daemon-reload; changed=yes; }
    elif [ "$UNIT" != "/usr/lib/systemd/system/$name.service" ]; then
      # The package's unit, for a program that lies elsewhere.
      write "/etc/systemd/system/$name.service" 644 "$(sed -e "s,/usr/bin/skiff,$BINARY," -e '/^Documentation=/d' "$UNIT")" && { systemctl daemon-reload; changed=yes; }
    fi
    systemctl is-enabled --quiet "$name" 2>/dev/null || systemctl enable --quiet "$name"
    if [ "$changed" = yes ] || [ "${5:-}" = restart ]; then systemctl restart "$name"; else systemctl start "$name"; fi
  else
    write "/etc/init.d/$name" 755 "#!/bin/bash
### BEGIN INIT INFO
# Provides: $name
# Required-Start: \$network \$local_fs
# Required-Stop: \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: $description
### END INIT INFO
KEEPER=/run/$name.pid
keeper() { pid=\$(cat \$KEEPER 2>/dev/null) && tr '\\0' ' ' < \"/proc/\$pid/cmdline\" 2>/dev/null | grep -q \"$name keep\"; }
case \$1 in
  start)
    keeper && exit 0
    setsid \"\$0\" keep </dev/null >>/var/log/$name.log 2>&1 & ;;
  keep) # started again when it ends, as systemd would
    echo \$\$ > \$KEEPER
    mkdir -p /run/sshd
    set -a; [ ! -f $SETTINGS ] || . $SETTINGS; set +a; cd /
    while :; do
      setpriv --reuid=$user --regid=$user --init-groups env HOME=$DATA $command &
      child=\$!
      trap 'kill -TERM \$child; for i in {1..300}; do kill -0 \$child 2>/dev/null || break; sleep 0.1; done; rm -f \$KEEPER; exit 0' TERM
      wait \$child
      sleep 1
    done ;;
  stop) keeper && { kill -TERM \"\$pid\"; for i in {1..320}; do [ -e /proc/\$pid ] || break; sleep 0.1; done; }; exit 0 ;;
  restart) \"\$0\" stop; \"\$0\" start ;;
  status) keeper && echo running || { echo stopped; exit 3; } ;;
  *) echo \"\$0 start|stop|restart|status\" >&2; exit 2 ;;
esac" && changed=yes
    if ! ls /etc/rc2.d/S??"$name" >/dev/null 2>&1; then
      update-rc.d "$name" defaults >/dev/null 2>&1 || true
      ls /etc/rc2.d/S??"$name" >/dev/null 2>&1 || { mkdir -p /etc/rc2.d; ln -s "../init.d/$name" "/etc/rc2.d/S70$name"; note files "/etc/rc2.d/S70$name"; }
    fi
    if [ "$changed" = yes ] || [ "${5:-}" = restart ]; then "/etc/init.d/$name" restart; else "/etc/init.d/$name" start; fi
    note files "/var/log/$name.log"
  fi
}
stop_service() {
  if systemd; then
    systemctl cat "$1" >/dev/null 2>&1 && systemctl stop "$1"
  elif [ -x "/etc/init.d/$1" ]; then
    "/etc/init.d/$1" stop
  fi
  return 0
}
# ── what can be said before anything is changed ───────────────────────────────────────────────────────────────────────

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }
settle() { # where the panel listens and its database: as said, else as it was
  LISTEN=${SKIFF_LISTEN:-$(sed -n 's/^SKIFF_LISTEN=//p' "$SETTINGS" 2>/dev/null || true)}
  LISTEN=${LISTEN:-127.0.0.1:7070}
  [[ $LISTEN =~ ^127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}:[0-9]+$ ]] && is_port "${LISTEN##*:}" ||
    fail "SKIFF_LISTEN is a loopback address with a port, such as 127.0.0.1:7070, not \"$LISTEN\"."
  PANEL_PORT=${LISTEN##*:}
  [ -z "${SKIFF_HTTP_PORT:-}" ] || is_port "$SKIFF_HTTP_PORT" || fail "SKIFF_HTTP_PORT is a port from 1 to 65535, not \"$SKIFF_HTTP_PORT\"."
  case ${SKIFF_HTTPS_PORT:-none} in
    none) ;;
    *) is_port "$SKIFF_HTTPS_PORT" || fail "SKIFF_HTTPS_PORT is a port from 1 to 65535, or none, not \"$SKIFF_HTTPS_PORT\"." ;;
  esac
  # What somebody set by hand stays.
  local kept
  kept=$(sed -n 's/^SKIFF_DATA_DIR=//p' "$SETTINGS" 2>/dev/null || true)
  DATA=${kept:-$DATA}
  kept=$(sed -n 's/^SKIFF_LOCAL_SOURCES=//p' "$SETTINGS" 2>/dev/null || true)
  SOURCES=${kept:-$DATA/samples}
  DATABASE=${DATABASE_URL:-$(sed -n "s/^DATABASE_URL=//p" "$SETTINGS" 2>/dev/null | sed "s/^'\(.*\)'$/\1/" || true)}
  case $DATABASE in *\'*) fail "DATABASE_URL has a ' in it: write it as %27." ;; esac
  unset DATABASE_URL
  [ -f "$NOTES/whole" ] || [ "$(free_megabytes /var)" -ge "$NEED_MB" ] ||
    fail "the disk is nearly full: /var has $(free_megabytes /var) MB free, and about $NEED_MB are needed."
}
panel_port_is_ours() { # said early where it can be, and again before the panel starts
  port_free "$PANEL_PORT" || port_owner "$PANEL_PORT" | grep -q '^skiff ' ||
    fail "port $PANEL_PORT is used by $(port_owner "$PANEL_PORT" | grep . || echo "another program"). Stop it, or choose another: SKIFF_LISTEN=127.0.0.1:$((PANEL_PORT + 1)) $ME"
}

# ── packages ──────────────────────────────────────────────────────────────────────────────────────────────────────────

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
install_missing() { # what `need` found, and what every panel needs
  need curl curl; need git git; need sudo sudo; need ss iproute2; need ssh-keygen openssh-client
  [ -x /usr/sbin/sshd ] || missing+=(openssh-server)
  [ -n "$DATABASE" ] || ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 || missing+=(postgresql)
  remember_packages
  mend_packages
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]} (a minute or two)"
    apt_get "read the package lists" update
    case " ${missing[*]} " in *" postgresql "*)
      # Skiff starts a cluster of its own; Debian's on port 5432 is not needed.
      [ -e /etc/postgresql-common/createcluster.conf ] || write /etc/postgresql-common/createcluster.conf 644 'create_main_cluster = false' || true ;;
    esac
    case " ${missing[*]} " in *" openssh-server "*)
      # The panel's way in is an sshd of its own on loopback: nothing is opened to the network by this.
      if systemd; then systemctl mask --quiet ssh.service ssh.socket 2>/dev/null; note masked ssh.service; note masked ssh.socket; fi ;;
    esac
    start_no_daemons
    apt_get "install ${missing[*]}" install -y --no-install-recommends "${missing[@]}"
    [ -z "$POLICY" ] || { rm -f $POLICY; POLICY=; }
  fi
  systemd || case " ${missing[*]} " in *" openssh-server "*) update-rc.d ssh disable >/dev/null 2>&1 || true ;; esac
  # Those that are masked still: what somebody enabled since stays so.
  if systemd; then
    for unit in $(noted masked); do
      [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = masked ] || continue
      systemctl unmask --quiet "$unit"; systemctl disable --quiet "$unit" 2>/dev/null || true
    done
  fi
  script packages.bash
  note_packages
  packages_before=
  # Made ready later, with the first certificate: by then nobody knows any more whether it was here.
  dpkg-query -W -f '${db:Status-Status}' acme-tiny 2>/dev/null | grep -qx installed || note packages acme-tiny
}

script() { # script FILE NAME=VALUE…: one of scripts/, as the panel runs it; its reason is ours
  local file=$1 said status=0; shift
  said=$(setsid --wait env "$@" bash --noprofile --norc "$SCRIPTS/$file" </dev/null 2>&1) || status=$?
  printf '%s\n' "$said" | grep -v '^::' | sed 's/^/   /' || true
  [ "$status" = 0 ] || fail "$(printf '%s\n' "$said" | sed -n 's/^::reason //p' | tail -n 1 | grep . || echo "scripts/$file ended with status $status.")"
}

# ── the way into this machine ─────────────────────────────────────────────────────────────────────────────────────────

sshd_suits() { # does the sshd on this port let the user skiff in and forward to sockets?
  local said
  said=$(/usr/sbin/sshd -T -C "user=skiff,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=$1" 2>/dev/null) || return 1
  grep -qE '^allowstreamlocalforwarding (yes|all|local)' <<< "$said" && grep -qE '^allowtcpforwarding (yes|all|local)' <<< "$said" &&
    grep -q '^pubkeyauthentication yes' <<< "$said" && ! grep -qE '^(allowusers|allowgroups|denyusers|denygroups|forcecommand [^n]|chrootdirectory [^n]) ?.' <<< "$said"
}
way_in() { # sets ssh_port and host_key
  ssh_port=
  if [ ! -f "$SSHD_CONFIG" ]; then
    ssh_port=$(ss -H -ltnp 2>/dev/null | awk '/"sshd"/ { n = split($4, part, ":"); a = $4; sub(/:[0-9]+$/, "", a); if (a == "0.0.0.0" || a == "*" || a == "[::]" || a == "127.0.0.1") print part[n] }' | sort -n | head -n 1)
    if [ -n "$ssh_port" ] && ! sshd_suits "$ssh_port"; then
      echo "   the sshd on port $ssh_port does not allow what Skiff needs; it stays as it is, and Skiff gets one of its own on loopback"
      ssh_port=
    fi
    host_key=
    [ -z "$ssh_port" ] || host_key=$(/usr/sbin/sshd -T 2>/dev/null | awk '$1 == "hostkey" { print $2 }' | grep ed25519 | head -n 1)
    [ -n "$host_key" ] && [ -r "$host_key.pub" ] || ssh_port=
  fi
  if [ -z "$ssh_port" ]; then
    host_key=/etc/skiff-panel/ssh_host_ed25519_key
    ssh_port=$(sed -n 's/^Port //p' "$SSHD_CONFIG" 2>/dev/null || true)
    if [ -z "$ssh_port" ]; then for ssh_port in 7022 7023 7024 7025; do port_free "$ssh_port" && break; done; fi
    mkdir -p /etc/skiff-panel
    [ -f "$host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "skiff on this machine" -f "$host_key"
    sshd_changed=
    write "$SSHD_CONFIG" 644 "# Skiff's way into this machine: loopback only, one user, keys only.
Port $ssh_port
ListenAddress 127.0.0.1
HostKey $host_key
PidFile none
AllowUsers skiff
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
Subsystem sftp internal-sftp" && sshd_changed=restart
    mkdir -p /run/sshd
    if systemd; then write /etc/tmpfiles.d/skiff-sshd.conf 644 'd /run/sshd 0755 root root -' || true; fi
    service skiff-sshd "Skiff's way into this machine (sshd on loopback)" root "/usr/sbin/sshd -D -e -f $SSHD_CONFIG" "$sshd_changed"
    for ((i = 0; i < 100; i++)); do port_free "$ssh_port" || break; sleep 0.1; done
    port_free "$ssh_port" && fail "the sshd on 127.0.0.1:$ssh_port does not start: /usr/sbin/sshd -t -f $SSHD_CONFIG says why."
    echo "   an sshd of its own listens on 127.0.0.1:$ssh_port"
  fi
}

# ── the panel ─────────────────────────────────────────────────────────────────────────────────────────────────────────

answers() { [ "$(curl -s -o /dev/null -m 3 -w '%{http_code}' "http://$LISTEN/ready" 2>/dev/null)" = 200 ]; }
last_words() { if systemd; then journalctl -u skiff --since "@$STARTED" -n "$1" -o cat --no-pager; else tail -n "$1" /var/log/skiff.log; fi 2>/dev/null; }
start_panel() { # start_panel [restart]: writes its settings, starts it, and waits until it answers
  local restart=${1:-} others said i
  if ! getent passwd "$PANEL_USER" >/dev/null; then
    useradd --system --user-group --home-dir "$DATA" --no-create-home --shell /usr/sbin/nologin --comment "The Skiff panel" "$PANEL_USER" ||
      fail "the user $PANEL_USER cannot be made."
  fi
  install -d -m 750 -o "$PANEL_USER" -g "$PANEL_USER" "$DATA"
  panel_port_is_ours
  # Whatever else somebody set there stays.
  others=$(grep -vE '^(# Settings of the Skiff panel |SKIFF_DATA_DIR=|SKIFF_LISTEN=|SKIFF_LOCAL_SOURCES=|DATABASE_URL=|$)' "$SETTINGS" 2>/dev/null || true)
  write "$SETTINGS" 600 "# Settings of the Skiff panel on this machine; skiff serve --help lists them all.
SKIFF_DATA_DIR=$DATA
SKIFF_LISTEN=$LISTEN
SKIFF_LOCAL_SOURCES=$SOURCES${DATABASE:+
DATABASE_URL='$DATABASE'}${others:+
$others}" && restart=restart
  # What it said before is of another start.
  STARTED=$(date +%s)
  service skiff "Skiff, the control panel" "$PANEL_USER" "$BINARY serve" "$restart"
  for ((i = 0; i < READY_S * 5; i++)); do
    answers && break
    # The same sentence again and again: it will not get better by waiting.
    if [ $((i % 25)) = 24 ]; then
      said=$(last_words 40 | sed -n 's/^skiff: //p' | sort | uniq -c | awk '$1 >= 3 { $1 = ""; print substr($0, 2); exit }')
      # It said itself where the docs say more.
      [ -z "$said" ] || { LEADS_TO=$(last_words 40 | sed -n 's/^More: //p' | tail -n 1 || true); stop_service skiff; fail "the panel does not start: $said"; }
    fi
    sleep 0.2
  done
  answers || { last_words 5 >&2; fail "the panel does not answer on http://$LISTEN within $READY_S seconds; its last words are above."; }
  echo "   answers on http://$LISTEN"
}

# ── this machine as a host ────────────────────────────────────────────────────────────────────────────────────────────

this_machine_as_a_host() { # sets http_port and https_port
  local fingerprint host
  http_port=${SKIFF_HTTP_PORT:-$(noted http_port | tail -n 1)}
  if [ -z "$http_port" ]; then
    http_port=80
    if ! port_free 80; then
      for http_port in 8080 8000 8888 9080 ''; do [ -n "$http_port" ] && ! port_free "$http_port" || break; done
      [ -n "$http_port" ] || fail "port 80 is used by $(port_owner 80), and 8080, 8000, 8888 and 9080 are taken, too: free one, or say another one with SKIFF_HTTP_PORT=…"
      echo "   port 80 is used by $(port_owner 80); the proxy gets port $http_port"
    fi
  fi
  https_port=${SKIFF_HTTPS_PORT:-$(noted https_port | tail -n 1)}
  if [ -z "$https_port" ]; then
    https_port=443
    if ! port_free 443; then
      for https_port in 8443 9443 none; do [ "$https_port" = none ] || ! port_free "$https_port" || break; done
      echo "   port 443 is used by $(port_owner 443); the proxy gets ${https_port/none/no} port${https_port/none/} for HTTPS"
    fi
  fi
  fingerprint=$(ssh-keygen -lf "$host_key.pub" | awk '{ print $2 }')
  host=$(admin host --name "this machine" --address 127.0.0.1 --port "$ssh_port" --user skiff --host-key "$fingerprint" --http-port "$http_port" --https-port "$https_port") ||
    fail "this machine could not be added as a host; the reason is above."
  # Kept once they were taken: a later run without them finds what is so.
  rm -f "$NOTES/http_port" "$NOTES/https_port"
  note http_port "$http_port"; note https_port "$https_port"
  script user.bash "PUBLIC_KEY=$(json public_key <<< "$host")"
  as_panel timeout "$DEPLOY_S" "$BINARY" admin provision "this machine" >/dev/null ||
    fail "this machine could not be made ready; the reason is above."
}

# ── the panel's own address ───────────────────────────────────────────────────────────────────────────────────────────

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
front_door() { # has certificates got and gives the panel its name, where that was asked for; sets no_name to why it has none
  local words answer options=(--agree-to-terms) input=/dev/null root=
  no_name=
  [ "${SKIFF_ACME_TERMS:-}" = agree ] || return 0
  step "the panel's own address"
  words=$(mktemp) answer=$(mktemp)
  [ -z "${SKIFF_ACME_EMAIL:-}" ] || options+=(--email "$SKIFF_ACME_EMAIL")
  [ -z "${SKIFF_ACME_DIRECTORY:-}" ] || options+=(--directory "$SKIFF_ACME_DIRECTORY")
  # The panel's user reads neither file where it lies. A root is public: it is copied; a key comes by standard input alone.
  if [ -n "${SKIFF_ACME_ROOT:-}" ]; then root=$(mktemp); cat "$SKIFF_ACME_ROOT" > "$root"; chmod 644 "$root"; options+=(--root "$root"); fi
  if [ -n "${SKIFF_ACME_EAB_ID:-}" ]; then options+=(--eab-id "$SKIFF_ACME_EAB_ID" --eab-key-file -) input=$SKIFF_ACME_EAB_KEY_FILE; fi
  if ! admin acme "${options[@]}" < "$input" > "$answer" 2> "$words"; then
    no_name="No authority could be chosen: $(sed -e '/^More: /d' -e 's/^skiff: //' "$words" | tr '\n' ' ')"
  else
    echo "   certificates come from $(json directory < "$answer")"
    if [ -n "${SKIFF_DOMAIN:-}" ]; then
      # Its words are shown as they come; the last one, if it failed, at the end.
      { admin address "$SKIFF_DOMAIN" 2>&1 >"$answer" </dev/null || true; } | tee "$words" | { grep --line-buffered -v '^skiff: ' || true; } | sed -u 's/^/   /'
      if grep -q '"kept":true' "$answer"; then echo "   the panel is reached at $(json url < "$answer")"
      else no_name=$(sed -n 's/^skiff: //p' "$words" | tail -n 1 | grep . || echo "The panel's log says why (journalctl -u skiff)."); fi
    fi
  fi
  rm -f "$words" "$answer" ${root:+"$root"}
  [ -z "$no_name" ] || printf '   not yet: %s\n' "$no_name"
}

# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────────

say_where() { # where the panel is, how it is set up or signed in to, how it is reached from afar
  local address link panel port
  # The address a person came to by ssh, else the first of this machine's.
  address=$(awk '{ print $3 }' <<< "${SSH_CONNECTION:-}"); address=${address:-$(hostname -I 2>/dev/null | awk '{ print $1 }')}
  link=$(as_panel "$BINARY" setup 2>/dev/null || true)
  panel=$(admin status 2>/dev/null | json panel || true)
  panel=${panel:-http://$LISTEN}
  printf '  Panel         %s\n' "$panel"
  [ -z "${no_name:-}" ] || printf '  No name yet   %s\n' "$no_name"
  if [ -n "$link" ]; then
    printf '  Set-up link   %s   (works once, for 30 minutes; %s prints a new one)\n' "$link" "$1"
  else
    printf '  Sign in       %s/login\n' "$panel"
  fi
  if [ "$panel" != "http://$LISTEN" ]; then
    printf '  Here, always  http://%s\n' "$LISTEN"
    port=${panel##*:}; case $port in *[!0-9]*) port=443 ;; esac
    printf "  Not there?    Let the provider's firewall take ports 80 and %s: from this machine that is not seen.\n" "$port"
    return
  fi
  printf '  From afar     ssh -L %s:%s %s@%s   and then the same address\n' "$PANEL_PORT" "$LISTEN" "${SUDO_USER:-$(id -un)}" "${address:-this-machine}"
}
