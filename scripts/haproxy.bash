# Skiff's own HAProxy on /etc/skiff/haproxy.cfg, apart from the distribution's. The panel has written that file before this runs.
# HTTP_PORT: the port the file listens on. HTTPS_PORT: the one of HTTPS, or empty. PEER_PORT: the one for other hosts, or empty. RELOAD: "yes" where the file's fixed part has changed since it was last loaded.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
CONFIG=/etc/skiff/haproxy.cfg
MASTER=/run/skiff/haproxy-master.sock
SOCKET=/run/skiff/haproxy.sock
PID=/run/skiff/haproxy.pid
START=/usr/local/lib/skiff/start-haproxy
# Reading a configuration with thousands of servers takes seconds; more is a fault.
WAIT_TENTHS=200
changed=unchanged
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; }

[[ ${HTTP_PORT:-} =~ ^[0-9]+$ ]] || refuse "The proxy's port is not a number."
command -v haproxy >/dev/null 2>&1 || refuse "HAProxy is not installed."
[ -f "$CONFIG" ] || refuse "$CONFIG is not there."

installed=$(haproxy -v | sed -n '1s/^HA-\{0,1\}Proxy version \([^ ]*\).*/\1/p')
# Seen with 3.2.9, and not with 3.2.25: its workers spin for ever once an instance has been taken out.
[[ ! $installed =~ ^3\.2\.([0-9]+) ]] || [ "${BASH_REMATCH[1]}" -ge 25 ] ||
  refuse "HAProxy $installed stops answering when an instance is taken out of service, by a fault of its own that is mended in 3.2.25. Upgrade it (apt-get install haproxy), then try again."

alerts=$(haproxy -c -f "$CONFIG" 2>&1) || {
  printf '%s\n' "$alerts" | tail -n 20
  refuse "HAProxy does not accept $CONFIG: $(printf '%s\n' "$alerts" | grep -m 1 ALERT | sed 's/^\[ALERT\][^:]*: *//' | cut -c1-200)"
}

master() { # master COMMAND: what HAProxy's master process answers
  printf '%s\n' "$1" | socat -t 5 - "UNIX-CONNECT:$MASTER" 2>/dev/null
}
answers() { printf 'show info\n' | socat -t 5 - "UNIX-CONNECT:$SOCKET" 2>/dev/null | sed -n 's/^Pid: //p'; }
reloaded() { [ -n "$now" ] && [ "$now" != "$before" ] && [ "$(answers)" = "$now" ]; }
running() { [ -n "$(master 'show proc')" ]; }
# The version of the worker that takes new connections, where it is another than the installed one: packages are upgraded beside it.
other_runs() { master 'show proc' | awk -v installed="$installed" '$2 == "worker" { if ($5 != "" && $5 != installed) print $5; exit }'; }
# The processes of ours, master and workers, old ones too.
ours() { master 'show proc' | awk '$1 ~ /^[0-9]+$/ { print $1 }'; }

on() { ss -H "$1" "sport = :$2" 2>/dev/null | awk '$4 !~ /^\[/ || $4 ~ /^\[::ffff:/'; } # on OPTIONS PORT: who listens, but on IPv6 alone
owner() { # owner PORT: "program pid" of who listens there, unless it is us
  local pid mine
  mine=" $(ours | tr '\n' ' ')"
  on -ltnp "$1" | grep -o '("[^"]*",pid=[0-9]*' | sed 's/("\([^"]*\)",pid=/\1 /' | sort -u | while read -r name pid; do
    case $mine in *" $pid "*) ;; *) echo "$name $pid"; break ;; esac
  done
}
free_or_refuse() {
  local name pid container
  if [[ ${PEER_PORT:-} =~ ^[0-9]+$ ]]; then
    read -r name pid <<< "$(owner "$PEER_PORT")"
    [ -z "$name" ] || refuse "Port $PEER_PORT is used by $name (process $pid), and this host's proxy takes the other hosts' requests there. Stop it, or take the private address away."
  fi
  if [[ ${HTTPS_PORT:-} =~ ^[0-9]+$ ]]; then
    read -r name pid <<< "$(owner "$HTTPS_PORT")"
    [ -z "$name" ] || refuse "Port $HTTPS_PORT is used by $name (process $pid), and this host's proxy serves HTTPS there. Stop it, or give this host's proxy another port for HTTPS, or none."
  fi
  read -r name pid <<< "$(owner "$HTTP_PORT")"
  [ -n "$name" ] || return 0
  if [ "$name" = docker-proxy ]; then
    container=$(docker ps --filter "publish=$HTTP_PORT" --format '{{.Names}}' 2>/dev/null | head -n 1)
    [ -z "$container" ] || refuse "Port $HTTP_PORT is used by the container $container. Stop it, or give this host's proxy another port$(free_ports)."
  fi
  refuse "Port $HTTP_PORT is used by $name (process $pid). Stop it, or give this host's proxy another port$(free_ports)."
}
free_ports() { # ", such as 8080 or 8000": those of the usual ones that nobody listens on
  local port free=()
  for port in 80 8080 8000 8888 8880; do
    [ ${#free[@]} = 2 ] || [ -n "$(ss -H -ltn "sport = :$port" 2>/dev/null)" ] || free+=("$port")
  done
  [ ${#free[@]} = 0 ] || printf ', such as %s' "${free[0]}${free[1]:+ or ${free[1]}}"
}
hears() { [ -n "$(on -ltn "$1")" ]; }
app_ports() { sed -n 's/^frontend tcp-\([0-9]*\) .*/\1/p' "$CONFIG"; }
listens() {
  local port
  # Those of apps too: one that was taken when the proxy started is opened once it is free.
  for port in "$HTTP_PORT" ${HTTPS_PORT:-} $(app_ports); do hears "$port" || return 1; done
}

file() { # file PATH MODE TEXT
  [ "$(cat "$1" 2>/dev/null)" = "$3" ] && return 0
  printf '%s\n' "$3" > "$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1" || refuse "$1 cannot be written."
  did "wrote $1"
}

# A port without HTTP that somebody else took while the proxy was down must not keep all others from being served: it starts without. The
# panel's file comes back with what it writes next, and the port with the next reload. Called with CONFIG PROGRAM ARGUMENT...
# What HAProxy itself has, workers of the one before do, which share it; and IPv6 alone is nothing that we listen on.
before=$changed
install -d -m 755 /usr/local/lib/skiff || refuse "/usr/local/lib/skiff cannot be made."
start_text=$(cat <<'END_OF_START'
#!/bin/bash
config=$1
shift
ports=" $(sed -n 's/^frontend tcp-\([0-9]*\) .*/\1/p' "$config" | tr '\n' ' ')"
taken=$(ss -H -ltnp | awk -v ports="$ports" '
  /"haproxy"/ || ($4 ~ /^\[/ && $4 !~ /^\[::ffff:/) { next }
  { port = $4; sub(/.*:/, "", port) }
  index(ports, " " port " ") { printf "%s ", port }')
if [ -n "$taken" ] && next=$(mktemp "$config.XXXXXX"); then
  echo "Left out, as something else listens there: port $taken" >&2
  awk -v taken=" $taken" '
    /^[a-z]/ { out = $1 == "frontend" && $2 ~ /^tcp-/ && index(taken, " " substr($2, 5) " ") }
    !out' "$config" > "$next" && chmod --reference="$config" "$next" && chown --reference="$config" "$next" && mv -f "$next" "$config" || rm -f "$next"
fi
exec "$@"
END_OF_START
)
file $START 755 "$start_text"

if [ -d /run/systemd/system ]; then
  file /etc/systemd/system/skiff-haproxy.service 644 "[Unit]
Description=Skiff's ingress (HAProxy)
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=$START $CONFIG $(command -v haproxy) -Ws -f $CONFIG -p $PID -S $MASTER,mode,660,group,skiff
ExecReload=$(command -v haproxy) -c -q -f $CONFIG
ExecReload=/bin/kill -USR2 \$MAINPID
KillMode=mixed
Restart=always
RestartSec=1
SuccessExitStatus=143
LimitNOFILE=524288

[Install]
WantedBy=multi-user.target"
  [ "$before" = "$changed" ] || systemctl daemon-reload || refuse "systemd does not read its units again."
  # Ubuntu restarts services whose program or libraries were upgraded. This one is to be reloaded, which cuts nothing.
  if [ -d /etc/needrestart/restart.d ]; then
    file /etc/needrestart/restart.d/skiff-haproxy.service 755 '#!/bin/sh
exec systemctl reload skiff-haproxy.service'
  fi
  systemctl is-enabled --quiet skiff-haproxy.service ||
    { systemctl enable --quiet skiff-haproxy.service && did "the proxy starts with the machine"; }
  start() { systemctl reset-failed skiff-haproxy.service 2>/dev/null; systemctl start skiff-haproxy.service; }
  last_words() { journalctl -u skiff-haproxy -n 3 -o cat 2>/dev/null | tail -n 1; }
else
  file /etc/init.d/skiff-haproxy 755 "#!/bin/bash
### BEGIN INIT INFO
# Provides: skiff-haproxy
# Required-Start: \$network \$local_fs
# Required-Stop: \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: Skiff's ingress (HAProxy)
### END INIT INFO
KEEPER=/run/skiff/haproxy-keeper.pid
keeper() { pid=\$(cat \$KEEPER 2>/dev/null) && grep -qs skiff-haproxy \"/proc/\$pid/cmdline\"; }
case \$1 in
  start)
    keeper && exit 0
    install -d -m 750 -o skiff -g skiff /run/skiff
    setsid \"\$0\" keep </dev/null >>/var/log/skiff-haproxy.log 2>&1 & ;;
  keep) # started again when it ends, as systemd would
    echo \$\$ > \$KEEPER
    ulimit -n 524288 2>/dev/null || ulimit -n \"\$(ulimit -Hn)\"
    while :; do $START $CONFIG $(command -v haproxy) -W -f $CONFIG -p $PID -S $MASTER,mode,660,group,skiff; sleep 1; done ;;
  stop)
    if keeper; then kill -9 \"\$pid\"; rm -f \$KEEPER; fi
    if [ -f $PID ]; then kill -TERM \"\$(cat $PID)\" 2>/dev/null; rm -f $PID; fi ;;
  reload) kill -USR2 \"\$(cat $PID)\" ;;
  restart) \"\$0\" stop; sleep 1; \"\$0\" start ;;
  status) keeper && echo running || { echo stopped; exit 3; } ;;
  *) echo \"\$0 start|stop|reload|restart|status\" >&2; exit 2 ;;
esac"
  # Where update-rc.d has nothing to order, it makes no links; an init that runs /etc/rc2.d finds ours.
  if ! ls /etc/rc2.d/S??skiff-haproxy >/dev/null 2>&1; then
    update-rc.d skiff-haproxy defaults >/dev/null 2>&1
    ls /etc/rc2.d/S??skiff-haproxy >/dev/null 2>&1 || { mkdir -p /etc/rc2.d && ln -s ../init.d/skiff-haproxy /etc/rc2.d/S60skiff-haproxy; } ||
      refuse "The proxy cannot be made to start with the machine."
    did "the proxy starts with the machine"
  fi
  start() { /etc/init.d/skiff-haproxy start; }
  last_words() { tail -n 1 /var/log/skiff-haproxy.log 2>/dev/null; }
fi

if ! running; then
  free_or_refuse
  start || refuse "The proxy does not start: $(last_words)"
  for ((i = 0; i < WAIT_TENTHS; i++)); do running && listens && break; sleep 0.1; done
  running && listens || refuse "The proxy does not start: $(last_words)"
  did "started the proxy on port $HTTP_PORT"
elif [ "${RELOAD:-}" = yes ] || { [ -n "$installed" ] && [ -n "$(other_runs)" ]; } || [ -n "$(owner "$HTTP_PORT")" ] || { [ -n "${HTTPS_PORT:-}" ] && [ -n "$(owner "$HTTPS_PORT")" ]; } || ! listens; then
  free_or_refuse
  for port in $(app_ports); do
    read -r name pid <<< "$(owner "$port")"
    [ -z "$name" ] || refuse "Port $port is used by $name (process $pid), and it is to lead to an app. Stop it, or take the port from the app."
  done
  former=$(other_runs)
  before=$(master 'show proc' | awk '$2 == "worker" && !old { print $1 } /^# old/ { old = 1 }')
  kill -USR2 "$(master 'show proc' | awk '$2 == "master" { print $1 }')" || refuse "The proxy cannot be told to reload."
  # The configuration was accepted by a check, but only a new worker says that its ports could be taken: when it answers, for it may be
  # listed before it has read its file.
  for ((i = 0; i < WAIT_TENTHS; i++)); do
    now=$(master 'show proc' | awk '$2 == "worker" && !old { print $1 } /^# old/ { old = 1 }')
    reloaded && listens && break
    sleep 0.1
  done
  reloaded && listens || refuse "The proxy kept its old configuration, for it could not load the new one: $(last_words)"
  did "reloaded the proxy, which listens on port $HTTP_PORT${former:+ and was HAProxy $former}"
fi
echo "HAProxy $installed listens on port $HTTP_PORT"
echo "::state $changed"
