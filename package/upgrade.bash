#!/bin/bash
# What `skiff self-upgrade` does, as root. Two halves:
#   begin   by the person's terminal: gets the package, looks at it and at this machine, and says what would be in the way; nothing is changed yet
#   run     by systemd, step after step, each noted before it is done: whatever ends it (a kill, a power cut), it goes on from there
# The steps: dump (the panel stops, its database is copied) → install → check (the new one answers, and goes on doing so) → done.
# From install and check the way back is: the old package, and the copy of the database where the new program changed its schema.
# A database at an address of one's own (DATABASE_URL) is copied and put back by that address: own_* below.
# FROM: a folder, a file or an address. CHECK, DOWNGRADE, OWN_BACKUP: "yes" or empty. READY_S: how long the new one may take to answer.
set -u
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
STATE=/var/lib/skiff-upgrade
UNDERWAY=$STATE/underway
LOG=$STATE/log
SETTINGS=/etc/default/skiff-panel
BINARY=/usr/bin/skiff
SIGNERS=/usr/lib/skiff/signers
UNIT=/etc/systemd/system/skiff-upgrade.service
# Copies of the database that are kept.
KEEP=3
# What a small server may take to migrate and to answer.
READY_S=${READY_S:-300}
# So long the new one must go on answering, as the same process.
HOLD_S=5
# A program that ended this often by itself will not get better.
RESTARTS=5
# The old one has no migrations to do; its database may have to recover.
BACK_READY_S=120
# Beside what is counted: PostgreSQL's log files, dpkg's and apt's own.
SPARE_MB=150
# A disk with less than that is full.
FULL_MB=20
# The package is some 10 MB; a slow line is waited for, a dead one is not.
FETCH_S=900
# Nothing that is published is longer, in KiB: whoever is on the way fills no disk.
SUMS_KIB=64 PACKAGE_KIB=262144
# Another package manager may be at work; it is waited for that long.
LOCK_S=180

fail() { printf 'skiff: %s\n' "$*" >&2; more "$*" >&2; rm -rf "$STATE/fetched"; exit 1; }
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
setting() { sed -n "s/^$1=//p" "$SETTINGS" 2>/dev/null | tail -n 1 | sed -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'\$/\1/"; }
installed() { dpkg-query -W -f "$1" skiff 2>/dev/null; }
settle() {
  DATA=$(setting SKIFF_DATA_DIR); DATA=${DATA:-/var/lib/skiff-panel}
  LISTEN=$(setting SKIFF_LISTEN); LISTEN=${LISTEN:-127.0.0.1:7070}
  CLUSTER=$DATA/postgres
  EXTERNAL=$(setting DATABASE_URL)
  # Who owns the tables copies them.
  [ -z "$EXTERNAL" ] || OWNER=$(setting SKIFF_DATABASE_OWNER_URL) OWNER=${OWNER:-$EXTERNAL}
  PANEL_USER=$(stat -c %U "$DATA" 2>/dev/null)
}

# ── what is to come, looked at ────────────────────────────────────────────────────────────────────────────────────────

fetch() { # fetch ADDRESS FILE KIB
  (ulimit -f "$3"; exec curl -fsSL --proto '=https,http' --connect-timeout 20 --max-time "$FETCH_S" --retry 2 --max-filesize "$(($3 * 1024))" -o "$2" -- "$1") ||
    fail "$1 could not be fetched; curl's reason is above. Nothing was changed."
}
get() { # the package, compared with what was signed, into $STATE/fetched/new.deb
  local from=$FROM named= folder name arch got=$STATE/fetched
  arch=$(dpkg --print-architecture)
  rm -rf "$got"; mkdir -p "$got" || fail "$STATE cannot be written: is the disk full?"
  case $from in
    http://* | https://*)
      case $from in *.deb) named=${from##*/} folder=${from%/*} ;; *) folder=${from%/} ;; esac
      fetch "$folder/SHA256SUMS" "$got/SHA256SUMS" "$SUMS_KIB"; fetch "$folder/SHA256SUMS.sig" "$got/SHA256SUMS.sig" "$SUMS_KIB" ;;
    *)
      if [ -d "$from" ]; then folder=${from%/}
      elif [ -f "$from" ]; then named=$(basename -- "$from") folder=$(dirname -- "$from")
      else fail "$from is neither a file nor a folder here, nor an address that begins with https://. Nothing was changed."; fi
      [ -f "$folder/SHA256SUMS" ] && [ -f "$folder/SHA256SUMS.sig" ] ||
        fail "SHA256SUMS and SHA256SUMS.sig do not lie in $folder: without them nobody knows whose package that is. Nothing was changed."
      cp -- "$folder/SHA256SUMS" "$folder/SHA256SUMS.sig" "$got/" || fail "$folder cannot be read, or the disk is full. Nothing was changed." ;;
  esac
  ssh-keygen -Y verify -f "$SIGNERS" -I skiff -n skiff-release -s "$got/SHA256SUMS.sig" < "$got/SHA256SUMS" >/dev/null 2>&1 ||
    fail "the signature of SHA256SUMS in $folder is not that of a key in $SIGNERS, which the installed package brought. Nothing was changed."
  name=${named:-$(sed -n "s/^[0-9a-f]\{64\}  \(skiff_[0-9A-Za-z.+~-]*_$arch\.deb\)\$/\1/p" "$got/SHA256SUMS" | sort -V | tail -n 1)}
  [[ $name =~ ^skiff_[0-9A-Za-z.+~-]+_$arch\.deb$ ]] || fail "there is no package for $arch in $folder. Nothing was changed."
  case $from in
    http://* | https://*) fetch "$folder/$name" "$got/$name" "$PACKAGE_KIB" ;;
    *) cp -- "$folder/$name" "$got/$name" || fail "$folder/$name cannot be read, or the disk is full. Nothing was changed." ;;
  esac
  awk -v name="$name" 'NF == 2 && $2 == name' "$got/SHA256SUMS" > "$got/one"
  [ -s "$got/one" ] || fail "SHA256SUMS in $folder does not name $name. Nothing was changed."
  (cd "$got" && sha256sum --check --status one) || fail "$name is not the package that was signed: its bytes differ. Nothing was changed. Fetch it again."
  mv -f "$got/$name" "$got/new.deb"
  [ "$(dpkg-deb -f "$got/new.deb" Package)" = skiff ] || fail "$name is not a package of Skiff. Nothing was changed."
  NEW=$(dpkg-deb -f "$got/new.deb" Version)
}

megabytes() { du -sm "$1" 2>/dev/null | cut -f 1; }
free_megabytes() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'; }
room() { # what all of it takes at its worst: both programs, the copy of the database, and the database again on the way back
  local program base=0
  program=$(dpkg-deb -f "$STATE/fetched/new.deb" Installed-Size); program=$((${program:-0} / 1024 + 1))
  # The way back, set aside at once so that nobody else takes it: the old program unpacked, and the database beside the broken one.
  RESERVE_MB=$((program + 32))
  if [ -z "$EXTERNAL" ]; then
    base=$(megabytes "$CLUSTER/data/base"); RESERVE_MB=$((RESERVE_MB + ${base:-0} * 5 / 4))
  elif [ "${OWN_BACKUP:-}" != yes ]; then
    # Of a database elsewhere the copy alone lies here.
    base=$(own_query 'select pg_database_size(current_database()) / 1048576' 2>/dev/null)
  fi
  NEED_MB=$((program * 3 + ${base:-0} + RESERVE_MB + SPARE_MB))
}
has_room() {
  local folder free
  for folder in "$STATE" /usr "$DATA"; do
    free=$(free_megabytes "$folder")
    [ "${free:-0}" -ge "$NEED_MB" ] ||
      fail "the disk is too full for an upgrade that can be taken back: $folder has ${free:-0} MB free, and $NEED_MB are needed (for the program twice, for a copy of the database, and for the way back). Make room, then try again. Nothing was changed."
  done
}

pack_installed() { # the package as it is installed now, from dpkg's own records, so that it can be put back
  local at=$STATE/packing file
  rm -rf "$at"; mkdir -p -m 755 "$at/DEBIAN" && chmod 755 "$at" || return 1
  dpkg-query -L skiff | while read -r file; do
    if [ ! -d "$file" ]; then (cd / && cp -a --parents ".$file" "$at/") || exit 1; fi
  done || return 1
  find "$at" -mindepth 1 -type d -exec chmod 755 {} +
  dpkg-query -s skiff | awk '/^Status:/ || /^Conffiles:/ { skip = 1; next } /^ / && skip { next } { skip = 0; print }' > "$at/DEBIAN/control"
  chmod 644 "$at/DEBIAN/control"
  for file in postinst prerm postrm; do
    if [ -f "/var/lib/dpkg/info/skiff.$file" ]; then cp -a "/var/lib/dpkg/info/skiff.$file" "$at/DEBIAN/$file"; fi
  done
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$at" "$STATE/back.deb.part" >/dev/null || return 1
  sync "$STATE/back.deb.part" && mv -f "$STATE/back.deb.part" "$STATE/back.deb" && rm -rf "$at"
}

begin() {
  [ "$(id -u)" = 0 ] || fail "this needs root: sudo skiff self-upgrade"
  [ -d /run/systemd/system ] || fail "this machine does not run systemd, by which the package's panel is started."
  install -d -m 700 "$STATE" || fail "$STATE cannot be made: is the disk full?"
  exec 8>>"$STATE/lock"
  flock -n 8 || fail "another upgrade begins at this moment: wait for it, then look with: sudo skiff self-upgrade --check"
  settle
  if [ -e "$UNDERWAY" ]; then
    [ "${CHECK:-}" != yes ] || { echo "An upgrade is underway: sudo skiff self-upgrade shows how it goes."; exit 0; }
    echo "An upgrade is underway already; this is how it goes."
    systemctl reset-failed skiff-upgrade 2>/dev/null
    systemctl start --no-block skiff-upgrade 2>/dev/null || { write_unit && systemctl start --no-block skiff-upgrade; }
    exec 8>&-
    follow
  fi
  # Packages that another apt is at work on look half installed: it is waited for (the panel itself brings some to its hosts).
  [ -z "$(dpkg --audit)" ] || apt-get -qq -o DPkg::Lock::Timeout=180 check >/dev/null 2>&1 || true
  if [ -n "$(dpkg --audit)" ]; then
    echo "Finishing an installation of packages that was interrupted."
    dpkg --force-confold --configure -a </dev/null || fail "packages are half installed on this machine; dpkg's words are above. Mend that first: sudo apt-get install -f"
  fi
  OLD=$(installed '${Version}') WHY_NOT= WHY=
  [ "$(installed '${db:Status-Status}')" = installed ] || fail "Skiff is not installed by its package here: bin/up or docker compose build bring a newer one."
  FROM=${FROM:-$(setting SKIFF_UPGRADE_FROM)}
  FROM=${FROM:-$(cat /usr/lib/skiff/published 2>/dev/null)}
  [ -n "$FROM" ] || fail "where is the newer package? Say it with --from FILE, FOLDER or ADDRESS, or once and for all as SKIFF_UPGRADE_FROM in $SETTINGS."
  get
  glibc=$(dpkg-deb -f "$STATE/fetched/new.deb" Depends | sed -n 's/.*libc6 (>= \([0-9.]*\)).*/\1/p')
  [ -z "$glibc" ] || dpkg --compare-versions "$(dpkg-query -W -f '${Version}' libc6)" ge "$glibc" ||
    fail "Skiff $NEW was built for the C library $glibc or newer, and this machine has $(dpkg-query -W -f '${Version}' libc6). Nothing was changed. Take one that was built on Debian 12."
  if [ -n "$EXTERNAL" ] && [ "${OWN_BACKUP:-}" != yes ]; then own_suits || WHY_NOT=$WHY; fi
  room
  if [ "${CHECK:-}" = yes ]; then
    printf 'installed  %s\nthere      %s (signed, whole)\nneeds      %s MB of disk, %s MB are free\n' "$OLD" "$NEW" "$NEED_MB" "$(free_megabytes "$STATE")"
    [ -z "$WHY_NOT" ] || printf 'database   at an address of yours, of which no copy can be made: %s\n' "$WHY_NOT"
    rm -rf "$STATE/fetched"
    if dpkg --compare-versions "$NEW" gt "$OLD"; then echo "sudo skiff self-upgrade installs it."; else echo "There is nothing newer."; fi
    exit 0
  fi
  if dpkg --compare-versions "$NEW" eq "$OLD"; then
    rm -rf "$STATE/fetched"; echo "Skiff $OLD is installed already: there is nothing to do."; exit 0
  fi
  if dpkg --compare-versions "$NEW" lt "$OLD" && [ "${DOWNGRADE:-}" != yes ]; then
    fail "$NEW is older than what is installed ($OLD). If that is what you want: --allow-downgrade. (A database that a newer program changed cannot be used by an older one; it would return by itself.)"
  fi
  [ -e "$SETTINGS" ] && systemctl is-enabled --quiet skiff || fail "the panel was never started here, so there is nothing to watch over: install the package itself, then sudo /usr/lib/skiff/set-up"
  [ -z "$WHY_NOT" ] ||
    fail "this panel's database is at an address of yours (DATABASE_URL), and Skiff can make no copy of it for the upgrade: $WHY_NOT. Mend that, or make a copy yourself, then: skiff self-upgrade --own-backup. Nothing was changed."
  has_room
  pack_installed || fail "the installed package could not be kept for the way back; the reason is above. Nothing was changed."
  rm -f "$STATE/reserve"
  fallocate -l "${RESERVE_MB}M" "$STATE/reserve" || fail "$RESERVE_MB MB could not be set aside for the way back: is the disk full? Nothing was changed."
  mv -f "$STATE/fetched/new.deb" "$STATE/new.deb"; rm -rf "$STATE/fetched"
  cp -f "$0" "$STATE/upgrade.bash" && : > "$LOG" && rm -f "$STATE/last" && write_unit || fail "$STATE cannot be written: is the disk full? Nothing was changed."
  STEP=dump DUMP= SCHEMA= REASON= OWN_BACKUP=${OWN_BACKUP:-}
  save || fail "$STATE cannot be written: is the disk full? Nothing was changed."
  systemctl start --no-block skiff-upgrade || fail "systemd does not start the upgrade; its words are above. Again: sudo skiff self-upgrade"
  exec 8>&-
  follow
}

write_unit() {
  printf '%s\n' '[Unit]' 'Description=An upgrade of Skiff that is underway' "ConditionPathExists=$UNDERWAY" 'After=network.target' 'StartLimitIntervalSec=600' 'StartLimitBurst=10' '' \
    '[Service]' 'Type=exec' "ExecStart=/bin/bash $STATE/upgrade.bash run" 'Restart=on-failure' 'RestartSec=2' '' \
    '[Install]' 'WantedBy=multi-user.target' > "$UNIT" && chmod 644 "$UNIT" && systemctl daemon-reload && systemctl enable --quiet skiff-upgrade
}

follow() { # tells the log as it grows, and ends as the upgrade does; a Ctrl-C ends the telling alone
  local told=0 size over idle=0 RESULT= SAID=
  while :; do
    over=; [ -e "$UNDERWAY" ] || over=yes
    size=$(stat -c %s "$LOG" 2>/dev/null || echo 0)
    if [ "$size" -gt "$told" ]; then tail -c +$((told + 1)) "$LOG" | head -c $((size - told)); told=$size; fi
    [ -z "$over" ] || break
    case $(systemctl is-active skiff-upgrade) in
      active | activating | reloading) idle=0 ;;
      # Between two of its starts it is neither.
      *) idle=$((idle + 1)) ;;
    esac
    [ "$idle" -lt 30 ] || fail "the upgrade has stopped in the middle; its words are in $LOG. It goes on from there with: sudo systemctl restart skiff-upgrade"
    sleep 0.3
  done
  [ ! -e "$STATE/last" ] || . "$STATE/last"
  [ "$RESULT" = done ] || fail "${SAID:-the upgrade ended in an unknown way; see $LOG}"
  exit 0
}

# ── the steps, by systemd ─────────────────────────────────────────────────────────────────────────────────────────────

save() { # what the steps know, whole or not at all
  local name
  for name in STEP OLD NEW DUMP SCHEMA REASON READY_S OWN_BACKUP; do printf '%s=%q\n' "$name" "${!name}"; done > "$UNDERWAY.new" && sync "$UNDERWAY.new" && mv -f "$UNDERWAY.new" "$UNDERWAY" && sync "$STATE"
}
say() { printf '%s\n' "$*" >> "$LOG" 2>/dev/null; }
go() { # go STEP: notes the step before it is done
  STEP=$1
  save && return 0
  # A disk that is full: what was set aside for the way back holds a line of text as well.
  rm -f "$STATE/reserve"
  save || exit 1
}
# Where systemd stops, or does not answer any more, the machine goes down: what fails then says nothing of Skiff, and the step is done again
# when it is back.
going_down() { case $(systemctl is-system-running 2>/dev/null) in '' | offline | unknown | stopping) return 0 ;; *) return 1 ;; esac; }
back() { ! going_down || exit 1; REASON=${*%.}; say "   $REASON"; go back; }
stop_panel() { systemctl stop skiff && ! systemctl is-active --quiet skiff; }

as_panel() { (cd / && exec setpriv --reuid="$PANEL_USER" --regid="$(id -g "$PANEL_USER")" --init-groups env -i PATH="$PATH" LC_ALL=C HOME="$DATA" "$@" 7>&-); }
BIN=
open_cluster() { # the panel's own PostgreSQL, while the panel is stopped; the lock tells every other skiff that it is looked after
  local version
  version=$(head -c 8 "$CLUSTER/data/PG_VERSION" 2>/dev/null)
  # The panel's user can write there: a number, and no way to programs of its own.
  [[ $version =~ ^[0-9]{2}$ ]] || return 1
  BIN=/usr/lib/postgresql/$version/bin
  [ ! -L "$CLUSTER/keeper" ] || return 1
  exec 7>>"$CLUSTER/keeper"
  flock -w 60 7 || return 1
  as_panel "$BIN/pg_ctl" -D "$CLUSTER/data" status >/dev/null 2>&1 ||
    as_panel "$BIN/pg_ctl" -D "$CLUSTER/data" -s -w -t 120 -l "$CLUSTER/log" -o "-c listen_addresses= -c unix_socket_directories=$CLUSTER/run -c unix_socket_permissions=0700 -c max_wal_size=256MB" start >>"$LOG" 2>&1
}
close_cluster() {
  as_panel "$BIN/pg_ctl" -D "$CLUSTER/data" -s -w -m fast -t 60 stop >>"$LOG" 2>&1
  exec 7>&-
}
query() { # query DATABASE STATEMENT
  PGPASSFILE=/nonexistent PGOPTIONS='-c client_min_messages=warning' "$BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$CLUSTER/run" -U postgres -d "$1" -c "$2" 7>&-
}
schema() { query skiff "select count(*) || ' steps up to ' || coalesce(max(version), 0) from _sqlx_migrations"; }

step_dump() {
  say "── the panel stops; apps go on serving"
  stop_panel || { nothing_changed "the panel did not stop"; return; }
  if [ -n "$EXTERNAL" ] && [ "$OWN_BACKUP" = yes ]; then say "   the database at DATABASE_URL is in your own care"; go install; return; fi
  say "── a copy of the database"
  if [ -n "$EXTERNAL" ]; then own_dump; return; fi
  open_cluster || { close_cluster; nothing_changed "the database did not start, so that no copy of it could be made; see $CLUSTER/log"; return; }
  install -d -m 700 "$STATE/dumps"
  local file=$STATE/dumps/before-$NEW.dump
  SCHEMA=$(schema 2>>"$LOG") &&
    PGPASSFILE=/nonexistent "$BIN/pg_dump" -h "$CLUSTER/run" -U postgres -d skiff --format=custom -f "$file.part" 7>&- >>"$LOG" 2>&1 && sync "$file.part" && mv -f "$file.part" "$file" && DUMP=$file
  local status=$?
  close_cluster
  if [ "$status" != 0 ] || [ -z "$SCHEMA" ]; then
    rm -f "$file.part"
    nothing_changed "no copy of the database could be made ($(df -Pm "$STATE" | awk 'NR == 2 { print $4 }') MB of disk are free); pg_dump's words are above"
    return
  fi
  say "   $DUMP ($(du -h "$DUMP" | cut -f 1), $SCHEMA)"
  go install
}
# ── a database at an address of one's own ─────────────────────────────────────────────────────────────────────────────

OWN_BIN= CONNECT=
own_address() { # takes the password out of the address, which stands on command lines; libpq gets it from the environment
  local scheme rest authority user
  case $OWNER in *[?\&]password=*) WHY="its password stands behind the ? of its address; write it as postgres://user:password@host/database"; return 1 ;; esac
  scheme=${OWNER%%://*} rest=${OWNER#*://}
  authority=${rest%%[/?#]*}
  unset PGPASSWORD
  CONNECT=$OWNER
  case $authority in *@*) ;; *) return 0 ;; esac
  user=${authority%@*}
  case $user in *:*) ;; *) return 0 ;; esac
  PGPASSWORD=${user#*:}; PGPASSWORD=${PGPASSWORD//\\/\\\\}; PGPASSWORD=$(printf '%b' "${PGPASSWORD//%/\\x}"); export PGPASSWORD
  CONNECT=$scheme://${user%%:*}@${authority##*@}${rest#"$authority"}
}
# As the panel's user, as whom the panel comes there: the server may ask who that is, or its home may have a .pgpass or a certificate.
own_run() { # own_run PROGRAM ARGUMENTS…
  (cd / && HOME=$DATA PGAPPNAME=skiff-upgrade PGCONNECT_TIMEOUT=20 PGOPTIONS='-c statement_timeout=0 -c lock_timeout=60s -c client_min_messages=warning' \
    exec setpriv --reuid="$PANEL_USER" --regid="$(id -g "$PANEL_USER")" --init-groups "$OWN_BIN/$1" "${@:2}")
}
own_psql() { own_run psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$CONNECT" "$@"; }
own_query() { own_psql -c "$1"; }
own_schema() { own_query "select count(*) || ' steps up to ' || coalesce(max(version), 0) from _sqlx_migrations"; }
own_open() { # the address, and the programs for that server: those of its version, else newer ones. WHY says what is missing
  local said server folder best=
  own_address || return 1
  OWN_BIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | while read -r folder; do [ ! -x "$folder/psql" ] || echo "$folder"; done | tail -n 1)
  [ -n "$OWN_BIN" ] || { WHY="psql and pg_dump are not installed (package postgresql-client)"; return 1; }
  said=$(own_query 'show server_version_num' 2>&1) || { WHY="it does not answer as it should (${said//$'\n'/ })"; return 1; }
  server=$((said / 10000))
  for folder in $(ls -d /usr/lib/postgresql/*/bin | sort -rV); do
    said=${folder%/bin}; said=${said##*/}
    if [ -x "$folder/pg_dump" ] && [ -x "$folder/pg_restore" ] && [ -x "$folder/psql" ] && [ "$said" -ge "$server" ] 2>/dev/null; then best=$folder; fi
  done
  [ -n "$best" ] || { WHY="its server is PostgreSQL $server, and pg_dump of that version or a newer one is not installed here (package postgresql-client-$server)"; return 1; }
  OWN_BIN=$best
}
# Tables of the schema public that came with no extension and are parts of no other table.
OWN_TABLES="pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')"
own_suits() { # can it be copied, and put back as it was? WHY says why not
  local tables said
  own_open || return 1
  tables=$(tr '\n' ',' < /usr/lib/skiff/tables)
  said=$(own_query "select case
    when to_regclass('public._sqlx_migrations') is null then 'the panel''s tables are not in its schema public'
    when exists (select from $OWN_TABLES and not pg_has_role(c.relowner, 'usage')) or exists (
      select from pg_proc p where pronamespace = 'public'::regnamespace and not pg_has_role(p.proowner, 'usage')
        and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')) then
      format('the role %s owns not all tables and functions in its schema public; SKIFF_DATABASE_OWNER_URL is the address for the one that does', current_user)
    when exists (select from $OWN_TABLES and c.relname <> all (string_to_array('$tables', ','))) then
      'there are tables beside the panel''s, which would be put back with them: '
      || (select string_agg(c.relname, ', ' order by c.relname) from $OWN_TABLES and c.relname <> all (string_to_array('$tables', ',')))
    when exists (select from pg_type t where typnamespace = 'public'::regnamespace and typtype in ('e', 'd', 'r')
        and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')) then
      'there are types beside the panel''s, which has none in its schema public'
    when exists (select from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class f on f.oid = k.confrelid
        where f.relnamespace = 'public'::regnamespace and c.relnamespace <> f.relnamespace)
      or exists (select from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid join pg_class c on c.oid = r.ev_class
        join pg_class f on d.refclassid = 'pg_class'::regclass and d.refobjid = f.oid
        where f.relnamespace = 'public'::regnamespace and c.relnamespace <> f.relnamespace) then
      'tables or views of other schemas hang on the panel''s, which could not be put back beneath them'
    end" 2>&1) || { WHY="it could not be looked at (${said//$'\n'/ })"; return 1; }
  WHY=$said
  [ -z "$said" ]
}
own_walls() { # own_walls down|up: an owner who is no superuser cannot copy what is behind row-level security while that is forced on owners, too
  local found=relforcerowsecurity to='no force'
  if [ "$1" = up ]; then found='relrowsecurity and not relforcerowsecurity' to=force; fi
  printf '%s\n' "do \$\$ declare one regclass; begin" \
    "for one in select oid::regclass from pg_class where relnamespace = 'public'::regnamespace and $found loop" \
    "execute format('alter table %s $to row level security', one); end loop; end \$\$;"
}
own_dump() {
  local file=$STATE/dumps/before-$NEW.dump others i status bypass
  own_open || { nothing_changed "of the database at DATABASE_URL no copy could be made: $WHY"; return; }
  # Another process of the panel, here or elsewhere, would write on while the new program changes the schema.
  for ((i = 0; i < 20; i++)); do
    others=$(own_query "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'skiff'" 2>>"$LOG")
    [ "$others" != 0 ] || break
    sleep 0.5
  done
  [ "$others" = 0 ] || { nothing_changed "another process of the panel works with the database at DATABASE_URL (${others:-unknown} connections): stop it, too"; return; }
  install -d -m 700 "$STATE/dumps"
  bypass=$(own_query "select rolsuper or rolbypassrls from pg_roles where rolname = current_user" 2>>"$LOG")
  SCHEMA=$(own_schema 2>>"$LOG") &&
    { [ "$bypass" = t ] || own_query "$(own_walls down)" >>"$LOG" 2>&1; } &&
    own_run pg_dump -d "$CONNECT" --schema=public --format=custom > "$file.part" 2>>"$LOG"
  status=$?
  # Whatever came of it: also what an interrupted run of this step left.
  for ((i = 0; ; i++)); do
    ! own_query "$(own_walls up)" >>"$LOG" 2>&1 || break
    [ "$i" -lt 5 ] || { status=1; break; }
    sleep 2
  done
  [ "$status" = 0 ] && sync "$file.part" && mv -f "$file.part" "$file" && DUMP=$file || status=1
  if [ "$status" != 0 ]; then
    rm -f "$file.part"; DUMP=
    nothing_changed "no copy of the database at DATABASE_URL could be made ($(free_megabytes "$STATE") MB of disk are free here); PostgreSQL's words are above"
    return
  fi
  say "   $DUMP ($(du -h "$DUMP" | cut -f 1), $SCHEMA)"
  go install
}
own_script() { # what puts the copy in the place of all that is there now, whole or not at all: without the last line nothing of it holds
  # What the new program made is in no copy: the panel's tables, functions and types go first. Nothing outside of them may hang on them.
  cat <<'SQL'
begin;
create temporary table outside on commit drop as select
  (select count(*) from pg_class where relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and relpersistence <> 't') as classes,
  (select count(*) from pg_constraint c join pg_class on pg_class.oid = conrelid where pg_class.relnamespace <> 'public'::regnamespace) as constraints,
  (select count(*) from pg_proc where pronamespace <> 'public'::regnamespace) as routines,
  (select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't' and a.attnum > 0 and not a.attisdropped) as columns,
  (select count(*) from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't') as defaults,
  (select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't') as triggers,
  (select count(*) from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't') as policies;
do $$ declare one text; begin
  foreach one in array array(
    select format('drop %s if exists %s cascade', case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence' else 'table' end, c.oid::regclass)
    from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0 and d.deptype in ('e', 'i', 'a'))
    union all
    select format('drop routine if exists %s cascade', p.oid::regprocedure)
    from pg_proc p where pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    union all
    select format('drop type if exists %s cascade', t.oid::regtype)
    from pg_type t where typnamespace = 'public'::regnamespace and typtype in ('e', 'd', 'r')
      and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'))
  loop execute one; end loop;
end $$;
do $$ begin
  if (select (classes, constraints, routines, columns, defaults, triggers, policies) from outside) is distinct from (select (
      (select count(*) from pg_class where relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and relpersistence <> 't'),
      (select count(*) from pg_constraint c join pg_class on pg_class.oid = conrelid where pg_class.relnamespace <> 'public'::regnamespace),
      (select count(*) from pg_proc where pronamespace <> 'public'::regnamespace),
      (select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't' and a.attnum > 0 and not a.attisdropped),
      (select count(*) from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't'),
      (select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't'),
      (select count(*) from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace not in ('public'::regnamespace, 'pg_toast'::regnamespace) and c.relpersistence <> 't'))) then
    raise exception 'something outside the schema public hangs on the panel''s tables: remove it';
  end if;
end $$;
SQL
  # The schema itself stays, and what others may do by default in it; and a setting that only the newest servers have is not made.
  "$OWN_BIN/pg_restore" -l "$DUMP" | grep -vE '^[0-9]+; [0-9]+ [0-9]+ (SCHEMA - public|(COMMENT|ACL) - SCHEMA public|DEFAULT ACL public .*) ' > "$STATE/list" &&
    "$OWN_BIN/pg_restore" -L "$STATE/list" -f - "$DUMP" | sed '1,/set_config/{/^SET transaction_timeout/d}' && [ "${PIPESTATUS[*]}" = "0 0" ] &&
    { own_walls up; echo 'commit;'; }
  rm -f "$STATE/list"
}
own_restore() { # the database as it was, where the new program changed it
  local now
  own_open || return 1
  now=$(own_schema 2>>"$LOG")
  [ "$now" != "$SCHEMA" ] || return 0
  say "   the new program changed the database (${now:-unreadable}; before: $SCHEMA): the copy takes its place"
  own_script 2>>"$LOG" | own_psql -f - >/dev/null 2>>"$LOG"
  [ "$(own_schema 2>>"$LOG")" = "$SCHEMA" ] || { WHY="PostgreSQL's words are in $LOG"; return 1; }
}

nothing_changed() {
  ! going_down || exit 1
  rm -f "$STATE/reserve"
  systemctl start skiff
  finish failed "the upgrade to $NEW was given up: $1. Nothing was changed; Skiff $OLD goes on."
}

apt_install() { # apt_install FILE
  dpkg --force-confold --configure -a </dev/null >>"$LOG" 2>&1
  apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout="$LOCK_S" install -y --no-install-recommends --allow-downgrades "$1" </dev/null >>"$LOG" 2>&1 &&
    [ "$(installed '${db:Status-Status}')" = installed ]
}
step_install() {
  say "── Skiff $NEW is installed"
  stop_panel
  if apt_install "$STATE/new.deb" && [ "$(installed '${Version}')" = "$NEW" ]; then go check; return; fi
  # On a full disk apt's own words are lost, too.
  if [ "$(free_megabytes "$STATE")" -lt "$FULL_MB" ] || [ "$(free_megabytes /usr)" -lt "$FULL_MB" ]; then back "the disk ran full while $NEW was installed"
  else back "apt could not install $NEW; its last words are in $LOG"; fi
}

last_words() { journalctl -u skiff -n 20 -o cat --no-pager 2>/dev/null | sed -n 's/^skiff: //p' | tail -n 1; }
healthy() { # healthy SECONDS: the installed program answers as the panel and goes on, as one process
  local limit=$((SECONDS + $1)) pid first= since=0
  systemctl daemon-reload; systemctl reset-failed skiff 2>/dev/null
  systemctl start skiff || { WHY="systemd does not start it"; return 1; }
  WHY="it did not answer as ready within $1 seconds"
  while [ "$SECONDS" -lt "$limit" ]; do
    pid=$(systemctl show -p MainPID --value skiff)
    if [ "${pid:-0}" != 0 ] && [ "$(readlink "/proc/$pid/exe")" = "$BINARY" ] &&
      [ "$(curl -s -o /dev/null -m 3 -w '%{http_code}' "http://$LISTEN/ready" 2>/dev/null)" = 200 ]; then
      [ "$pid" = "$first" ] || { first=$pid since=$SECONDS; }
      [ $((SECONDS - since)) -lt "$HOLD_S" ] || return 0
    else
      first=
    fi
    if [ "$(systemctl show -p NRestarts --value skiff)" -ge "$RESTARTS" ] || systemctl is-failed --quiet skiff; then
      WHY="it ended by itself again and again: $(last_words | grep . || echo 'see journalctl -u skiff')"
      return 1
    fi
    sleep 0.5
  done
  return 1
}
step_check() {
  say "── Skiff $NEW starts, and is watched"
  if healthy "$READY_S"; then
    say "   it is ready, and stays so"
    finish done "Skiff $NEW runs. (It was $OLD.${DUMP:+ The database as it was before lies in $DUMP.})"
  else
    back "Skiff $NEW is not well: $WHY"
  fi
}

restore() { # the database as it was, beside the one there is, then in its place; true where nothing had changed it, too
  local now
  query postgres "drop database if exists skiff_failed" >>"$LOG" 2>&1
  now=$(schema 2>>"$LOG")
  [ "$now" != "$SCHEMA" ] || return 0
  say "   the new program changed the database (${now:-unreadable}; before: $SCHEMA): the copy takes its place"
  query postgres "drop database if exists skiff_back" >>"$LOG" 2>&1 &&
    query postgres "create database skiff_back owner skiff_owner template template0" >>"$LOG" 2>&1 &&
    PGPASSFILE=/nonexistent "$BIN/pg_restore" -h "$CLUSTER/run" -U postgres -d skiff_back --exit-on-error "$DUMP" 7>&- >>"$LOG" 2>&1 &&
    query postgres "begin; alter database skiff rename to skiff_failed; alter database skiff_back rename to skiff; commit" >>"$LOG" 2>&1 || return 1
  query postgres "drop database if exists skiff_failed" >>"$LOG" 2>&1
  return 0
}
step_back() {
  say "── back to Skiff $OLD"
  rm -f "$STATE/reserve"
  stop_panel
  if [ "$(installed '${db:Status-Status} ${Version}')" != "installed $OLD" ]; then
    # Not by apt: what the old one needs is there, and nothing shall be fetched.
    dpkg --force-downgrade,confold -i "$STATE/back.deb" </dev/null >>"$LOG" 2>&1 ||
      stuck "the old package could not be put back (dpkg's words are in $LOG)"
  fi
  if [ -n "$EXTERNAL" ] && [ -n "$DUMP" ]; then
    own_restore || stuck "the database at DATABASE_URL could not be put back as it was: $WHY. The copy is $DUMP"
  elif [ -n "$DUMP" ]; then
    open_cluster || { close_cluster; stuck "the database does not start (see $CLUSTER/log)"; }
    local status=0
    restore || status=1
    close_cluster
    [ "$status" = 0 ] || stuck "the copy of the database ($DUMP) could not be put back (PostgreSQL's words are in $LOG)"
  fi
  if healthy "$BACK_READY_S"; then
    finish back "the upgrade to $NEW was taken back: $REASON. Skiff $OLD runs again as before."
  elif [ -n "$EXTERNAL" ] && [ -z "$DUMP" ]; then
    finish failed "the upgrade to $NEW failed ($REASON), and Skiff $OLD, which is installed again, is not well: $WHY. Where the database at DATABASE_URL was changed, put your copy of it back, then: sudo systemctl restart skiff"
  else
    stuck "Skiff $OLD, which is installed again, is not well: $WHY"
  fi
}
stuck() { # the step stays noted and is done again: by systemd some times, then by a person
  say "   $1. It is tried again; when it was tried often enough, mend that, then: sudo systemctl restart skiff-upgrade"
  exit 1
}

finish() { # finish RESULT SENTENCE
  [ "$1" != failed ] || ! going_down || exit 1
  rm -f "$STATE/reserve"
  printf 'RESULT=%q\nSAID=%q\n' "$1" "$2" > "$STATE/last.new" && sync "$STATE/last.new" && mv -f "$STATE/last.new" "$STATE/last" || exit 1
  # Whoever follows is told the others as a failure.
  [ "$1" != done ] || say "── $2"
  rm -f "$UNDERWAY"; sync "$STATE"
  rm -rf "$STATE/new.deb" "$STATE/back.deb" "$STATE/reserve" "$STATE/packing" "$STATE/upgrade.bash"
  ls -1t "$STATE"/dumps/*.dump 2>/dev/null | tail -n +$((KEEP + 1)) | while read -r old; do rm -f "$old"; done
  systemctl disable --quiet skiff-upgrade 2>/dev/null
  rm -f "$UNIT"
  systemctl daemon-reload
  exit 0
}

run() {
  [ -e "$UNDERWAY" ] || exit 0
  # PostgreSQL's programs look at the folder they are started in.
  cd /
  settle
  . "$UNDERWAY"
  exec 9>>"$STATE/running"
  flock -n 9 || exit 1
  local was=
  while :; do
    # Each step names the next one; none that does not is an end.
    [ "$STEP" != "$was" ] || exit 1
    was=$STEP
    case $STEP in
      dump) step_dump ;;
      install) step_install ;;
      check) step_check ;;
      back) step_back ;;
      *) say "   the note in $UNDERWAY cannot be read"; exit 1 ;;
    esac
  done
}

case ${1:-} in
  begin) begin ;;
  run) run ;;
  *) fail "this is what skiff self-upgrade runs" ;;
esac
