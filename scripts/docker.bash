# A running Docker whose containers live on while it restarts (live-restore), and whose build cache is bounded where
# nobody has used or set it up before. Its daemon.json is merged, never replaced; a running dockerd is
# told by SIGHUP and never restarted.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
# A fresh dockerd answers within seconds; after an unclean end it may look through its containers first.
START_TENTHS=600
SOCKET=/var/run/docker.sock
CONFIG=/etc/docker/daemon.json
# What builds may keep for their next run: some ten images' layers, and small beside a server's disk.
CACHE=10GB
changed=unchanged
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; }

command -v dockerd >/dev/null 2>&1 || refuse "Docker is not installed."
ask() { # ask PATH: the body of dockerd's answer
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKET" 2>/dev/null | tr -d '\r' | sed '1,/^$/d'
}
answers() { [ "$(ask /_ping)" = OK ]; }
pid_of_dockerd() { cat /var/run/docker.pid 2>/dev/null || pidof -s dockerd; }

wanted=yes
if answers; then
  info=$(ask /info)
  case $info in *'"LiveRestoreEnabled":true'*) wanted=no ;; esac
  # Swarm refuses live-restore.
  case $info in *'"LocalNodeState":"active"'*) wanted=no; echo "Swarm is on: live-restore stays off" ;; esac
fi
if [ "$wanted" = yes ] && grep -q '"live-restore"' "$CONFIG" 2>/dev/null; then
  wanted=no
  grep -q '"live-restore"[[:space:]]*:[[:space:]]*true' "$CONFIG" ||
    echo "live-restore is switched off in $CONFIG and stays so: containers stop while dockerd restarts"
fi
# A flag and the file may not both say it: dockerd would not start again.
pid=$(pid_of_dockerd)
# A Docker nobody has used yet: what its cache may take is ours to say.
unused=no
[ -n "$pid" ] || unused=yes
case ${info:-} in *'"Containers":0,'*'"Images":0,'*) unused=yes ;; esac
if [ -n "$pid" ] && tr '\0' '\n' < "/proc/$pid/cmdline" 2>/dev/null | grep -q '^--live-restore'; then wanted=no; fi

if [ "$wanted" = yes ]; then
  mkdir -p /etc/docker || refuse "/etc/docker cannot be made."
  old=$(cat "$CONFIG" 2>/dev/null | tr -d '[:space:]')
  new=$(mktemp "$CONFIG.XXXXXX") || refuse "$CONFIG cannot be written."
  trap 'rm -f "$new"' EXIT
  case $old in
    '' | '{}')
      # A build cache that Docker itself keeps within bounds: 20.10 bounds it only where it is told to.
      cache=""
      [ "$unused" = no ] || cache=$(printf ',\n  "builder": { "gc": { "enabled": true, "defaultKeepStorage": "%s" } }' "$CACHE")
      printf '{\n  "live-restore": true%s\n}\n' "$cache" > "$new" ;;
    # The first brace opens the whole: one member more stands right behind it, everything else stays byte for byte.
    '{'*) sed '0,/{/s/{/{\n  "live-restore": true,/' "$CONFIG" > "$new" ;;
    *) refuse "$CONFIG is not a JSON object; mend it, then try again." ;;
  esac
  if dockerd --help 2>/dev/null | grep -- --validate >/dev/null && ! dockerd --validate --config-file "$new" >/dev/null 2>&1; then
    refuse "$CONFIG cannot be extended: dockerd does not accept it with \"live-restore\": true."
  fi
  chmod --reference="$CONFIG" "$new" 2>/dev/null || chmod 644 "$new"
  mv -f "$new" "$CONFIG" || refuse "$CONFIG cannot be written."
  did "set live-restore in $CONFIG"
  if answers && [ -n "$pid" ]; then
    kill -HUP "$pid" && echo "told dockerd (process $pid)"
    [ -z "${cache:-}" ] || echo "the bound of the build cache ($CACHE) holds from the next start of dockerd on"
  fi
fi

started=no
if [ -d /run/systemd/system ]; then
  if ! systemctl is-enabled --quiet docker.service 2>/dev/null; then
    systemctl enable --quiet docker.service 2>/dev/null && did "Docker starts with the machine"
  fi
  systemctl is-active --quiet docker.service || { systemctl start docker.service || refuse "docker.service does not start: journalctl -u docker says why."; started=yes; }
else
  # Where update-rc.d has nothing to order, it makes no links; an init that runs /etc/rc2.d finds ours.
  if [ -x /etc/init.d/docker ] && ! ls /etc/rc2.d/S??docker >/dev/null 2>&1; then
    update-rc.d docker defaults >/dev/null 2>&1
    ls /etc/rc2.d/S??docker >/dev/null 2>&1 || { mkdir -p /etc/rc2.d && ln -s ../init.d/docker /etc/rc2.d/S50docker; } ||
      refuse "Docker cannot be made to start with the machine."
    did "Docker starts with the machine"
  fi
  # One that is just starting is waited for below.
  if ! answers && [ -z "$(pidof dockerd)" ]; then
    if [ -x /etc/init.d/docker ]; then /etc/init.d/docker start </dev/null >/dev/null 2>&1 || true; fi
    if [ -z "$(pidof dockerd)" ]; then setsid dockerd </dev/null >>/var/log/docker.log 2>&1 & fi
    started=yes
  fi
fi
for ((i = 0; i < START_TENTHS; i++)); do answers && break; sleep 0.1; done
answers || refuse "Docker does not answer on $SOCKET: $(tail -n 1 /var/log/docker.log 2>/dev/null || echo "journalctl -u docker says why.")"
[ "$started" = no ] || did "started Docker"
echo "Docker $(ask /version | sed -n 's/.*"Version":"\([^"]*\)","ApiVersion".*/\1/p') answers"
echo "::state $changed"
