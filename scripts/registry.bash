# The image registry of a host that builds for the others: the distribution's docker-registry, as a service of Skiff's own, on loopback
# alone and behind a password. What is in it can be had again from Docker, so that it is thrown away where it grows beyond its bound.
# WANTED: "yes" or "no". PORT: where it listens. HTPASSWD: its one user, with the password's hash.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
HOME_OF_FILES=/etc/skiff/registry
CONFIG=$HOME_OF_FILES/config.yml
PASSWORDS=$HOME_OF_FILES/htpasswd
DATA=/var/lib/skiff/registry
PID=/run/skiff-registry.pid
OWNER=docker-registry
# Some ten large images: what lies here is only for the way to the other hosts.
BOUND_MIB=10240
# It listens within a second.
WAIT_TENTHS=200
changed=unchanged
# How many things were changed so far.
acts=0
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; acts=$((acts + 1)); }

file() { # file PATH MODE OWNER TEXT
  [ "$(cat "$1" 2>/dev/null)" = "$4" ] && [ "$(stat -c '%a %U' "$1")" = "$2 $3" ] && return 0
  printf '%s\n' "$4" > "$1.new" && chown "$3:" "$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1" || refuse "$1 cannot be written."
  did "wrote $1"
}
systemd() { [ -d /run/systemd/system ]; }
ours() { # the process of ours
  local pid
  if systemd; then pid=$(systemctl show -p MainPID --value skiff-registry.service 2>/dev/null); else pid=$(cat "$PID" 2>/dev/null); fi
  [ -n "$pid" ] && [ "$pid" != 0 ] && grep -qs "$CONFIG" "/proc/$pid/cmdline" && echo "$pid"
}
listener() { # "program pid" of whoever listens on the port
  ss -H -ltnp "sport = :$PORT" 2>/dev/null | sed -n 's/.*(("\([^"]*\)",pid=\([0-9]*\).*/\1 \2/p' | head -n 1
}
runs() { local pid; pid=$(ours) && [ "$(listener | cut -d' ' -f2)" = "$pid" ]; }
stop() {
  if systemd; then systemctl stop skiff-registry.service 2>/dev/null; else [ ! -x /etc/init.d/skiff-registry ] || /etc/init.d/skiff-registry stop; fi
}

if [ "${WANTED:-}" != yes ]; then
  [ -d "$HOME_OF_FILES" ] || { echo "this host builds for itself alone"; echo "::state unchanged"; exit 0; }
  stop
  if systemd; then
    systemctl disable --quiet skiff-registry.service 2>/dev/null
    rm -f /etc/systemd/system/skiff-registry.service; systemctl daemon-reload
  else
    update-rc.d skiff-registry remove >/dev/null 2>&1
    rm -f /etc/init.d/skiff-registry /etc/rc2.d/S??skiff-registry
  fi
  rm -rf "$HOME_OF_FILES" "$DATA"
  did "took the registry of images away"
  echo "::state $changed"
  exit 0
fi

[[ ${PORT:-} =~ ^[0-9]+$ ]] || refuse "The registry's port is not a number."
[[ ${HTPASSWD:-} =~ ^[a-z]+:.2[aby].[0-9]+.[./A-Za-z0-9]{53}$ ]] || refuse "The registry's password is not one."
command -v docker-registry >/dev/null 2>&1 || refuse "docker-registry is not installed."
getent passwd "$OWNER" >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin "$OWNER" || refuse "The user $OWNER cannot be made."
for folder in "$HOME_OF_FILES" "$DATA"; do
  if [ -L "$folder" ]; then refuse "$folder is a symbolic link: Skiff writes only into folders of its own."; fi
  if [ "$(stat -c '%a %U' "$folder" 2>/dev/null)" != "700 $OWNER" ]; then
    mkdir -p "$folder" && chown "$OWNER:" "$folder" && chmod 700 "$folder" || refuse "$folder cannot be made."
    did "made $folder"
  fi
done
before=$acts
file "$PASSWORDS" 600 "$OWNER" "$HTPASSWD"
file "$CONFIG" 600 "$OWNER" "# Written by Skiff.
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: $DATA
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$PORT
auth:
  htpasswd:
    realm: skiff
    path: $PASSWORDS"

if systemd; then
  unit=$acts
  file /etc/systemd/system/skiff-registry.service 644 root "[Unit]
Description=Skiff's registry of images, for the other hosts
After=network.target

[Service]
User=$OWNER
ExecStart=$(command -v docker-registry) serve $CONFIG
Restart=always
RestartSec=1
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=$DATA

[Install]
WantedBy=multi-user.target"
  [ "$unit" = "$acts" ] || systemctl daemon-reload || refuse "systemd does not read its units again."
  systemctl is-enabled --quiet skiff-registry.service ||
    { systemctl enable --quiet skiff-registry.service && did "the registry starts with the machine"; }
  start() { systemctl reset-failed skiff-registry.service 2>/dev/null; systemctl start skiff-registry.service; }
  last_words() { journalctl -u skiff-registry -n 3 -o cat 2>/dev/null | tail -n 1; }
else
  file /etc/init.d/skiff-registry 755 root "#!/bin/bash
### BEGIN INIT INFO
# Provides: skiff-registry
# Required-Start: \$network \$local_fs
# Required-Stop: \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: Skiff's registry of images, for the other hosts
### END INIT INFO
pid() { pid=\$(cat $PID 2>/dev/null) && grep -qs '$CONFIG' \"/proc/\$pid/cmdline\"; }
case \$1 in
  start)
    pid && exit 0
    setsid setpriv --reuid=$OWNER --regid=$OWNER --init-groups --no-new-privs $(command -v docker-registry) serve $CONFIG </dev/null >>/var/log/skiff-registry.log 2>&1 &
    echo \$! > $PID ;;
  stop)
    if pid; then
      kill -TERM \"\$pid\"
      for ((i = 0; i < 50; i++)); do pid || break; sleep 0.1; done
      if pid; then kill -KILL \"\$pid\"; fi
    fi
    rm -f $PID ;;
  restart) \"\$0\" stop; \"\$0\" start ;;
  status) pid && echo running || { echo stopped; exit 3; } ;;
  *) echo \"\$0 start|stop|restart|status\" >&2; exit 2 ;;
esac"
  if ! ls /etc/rc2.d/S??skiff-registry >/dev/null 2>&1; then
    update-rc.d skiff-registry defaults >/dev/null 2>&1
    ls /etc/rc2.d/S??skiff-registry >/dev/null 2>&1 || { mkdir -p /etc/rc2.d && ln -s ../init.d/skiff-registry /etc/rc2.d/S60skiff-registry; } ||
      refuse "The registry cannot be made to start with the machine."
    did "the registry starts with the machine"
  fi
  start() { /etc/init.d/skiff-registry start; }
  last_words() { tail -n 1 /var/log/skiff-registry.log 2>/dev/null; }
fi

used=$(du -sm "$DATA" 2>/dev/null | cut -f1)
if [ "${used:-0}" -gt "$BOUND_MIB" ]; then
  stop
  find "$DATA" -mindepth 1 -delete || refuse "$DATA cannot be emptied."
  did "emptied the registry: it had grown to $used MB"
fi
[ "$before" = "$acts" ] || stop
if ! runs; then
  read -r name pid <<< "$(listener)"
  [ -z "$name" ] || [ "$pid" = "$(ours)" ] || refuse "Port $PORT is used by $name (process $pid), and the registry of images needs it. Stop that, then try again."
  start || refuse "The registry does not start: $(last_words)"
  for ((i = 0; i < WAIT_TENTHS; i++)); do runs && break; sleep 0.1; done
  runs || refuse "The registry does not start: $(last_words)"
  did "started the registry of images"
fi
echo "docker-registry listens on 127.0.0.1:$PORT"
echo "::state $changed"
