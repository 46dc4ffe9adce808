# Has this server renew its own certificates while the panel is gone: a folder and a timer; the panel has written renew.bash and its lists
# once the folder is there. Or takes all of it away.
# WANTED: "yes"; anything else takes it away.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
FOLDER=/var/lib/skiff/renew
UNIT=/etc/systemd/system/skiff-renew
CRON=/etc/cron.d/skiff-renew
# A run has an end by itself before that.
WAIT_S=300
changed=unchanged
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; }
systemd() { [ -d /run/systemd/system ]; }
file() { # file PATH TEXT
  [ "$(cat "$1" 2>/dev/null)" = "$2" ] && return 0
  printf '%s\n' "$2" > "$1.new" && chmod 644 "$1.new" && mv -f "$1.new" "$1" || refuse "$1 cannot be written."
  did "wrote $1"
}
[ ! -L "$FOLDER" ] || refuse "$FOLDER is a symbolic link: Skiff writes only into folders of its own."

if [ "${WANTED:-}" != yes ]; then
  if systemd && [ -e "$UNIT.timer" ]; then systemctl disable --quiet --now skiff-renew.timer; systemctl stop skiff-renew.service; fi
  if [ -d "$FOLDER" ]; then
    # One that is at work gives the proxy its answer back first.
    exec 9>"$FOLDER/lock"
    flock -w "$WAIT_S" 9 || refuse "A renewal on the server does not end: $FOLDER/log says what it does."
    # A killed one did not. The file is the unit's to write, so that it runs behind the unit's walls and nowhere else.
    if [ -e "$FOLDER/former" ] && [ -f "$FOLDER/renew.bash" ]; then
      rm -f "$FOLDER/list"; flock -u 9
      if systemd && [ -e "$UNIT.service" ]; then systemctl start skiff-renew.service
      else runuser -u skiff -- /bin/bash --noprofile --norc "$FOLDER/renew.bash"; fi
    fi
  fi
  if [ -e "$UNIT.timer" ] || [ -e "$UNIT.service" ]; then
    rm -f "$UNIT.timer" "$UNIT.service" || refuse "$UNIT.timer cannot be removed."
    ! systemd || systemctl daemon-reload
    did "the timer is gone"
  fi
  [ ! -e "$CRON" ] || { rm -f "$CRON" && did "$CRON is gone"; } || refuse "$CRON cannot be removed."
  if [ -d "$FOLDER" ]; then
    rm -rf "$FOLDER" || refuse "$FOLDER cannot be removed."
    did "the server's own account and its settings are gone"
  fi
  echo "::state $changed"
  exit 0
fi

[ -d /var/lib/skiff ] && getent passwd skiff >/dev/null || refuse "The user skiff or its folder /var/lib/skiff is not there yet."
if [ ! -d "$FOLDER" ]; then
  mkdir -m 700 "$FOLDER" || refuse "$FOLDER cannot be made."
  did "made $FOLDER"
fi
if [ "$(stat -c '%a %U:%G' "$FOLDER")" != "700 skiff:skiff" ]; then
  chown skiff:skiff "$FOLDER" && chmod 700 "$FOLDER" || refuse "$FOLDER cannot be given to skiff."
  did "gave $FOLDER to skiff"
fi
command="/bin/bash --noprofile --norc $FOLDER/renew.bash"
if systemd; then
  before=$changed
  file "$UNIT.service" "[Unit]
Description=Skiff's certificates of this server, while its panel is gone
After=network-online.target
Wants=network-online.target
ConditionPathExists=$FOLDER/renew.bash

[Service]
Type=oneshot
User=skiff
Group=skiff
ExecStart=$command
TimeoutStartSec=45min
UMask=0077
Nice=10
# It writes certificates and one map of the proxy, not its file, which root reads; speaks to the proxy's sockets and to the authority, and may become nobody else.
ProtectSystem=strict
ReadWritePaths=-/etc/skiff/certs -/etc/skiff/maps $FOLDER
# The user is in the group docker, which is a way to root.
InaccessiblePaths=-/run/docker.sock -/run/containerd
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictSUIDSGID=yes
LockPersonality=yes"
  # At a minute of its own.
  file "$UNIT.timer" "[Unit]
Description=Looks every hour whether Skiff's panel is gone

[Timer]
OnCalendar=hourly
RandomizedDelaySec=50min
AccuracySec=1min

[Install]
WantedBy=timers.target"
  [ "$before" = "$changed" ] || systemctl daemon-reload || refuse "systemd does not read its units again."
  systemctl is-enabled --quiet skiff-renew.timer && systemctl is-active --quiet skiff-renew.timer ||
    { systemctl enable --quiet --now skiff-renew.timer && did "the timer runs"; } || refuse "The timer cannot be started: systemctl status skiff-renew.timer says why."
else
  # A minute of its own, that stays.
  minute=$(sed -n 's/^\([0-9]\{1,2\}\) \* \* \* \* skiff .*/\1/p' "$CRON" 2>/dev/null | head -n 1)
  file "$CRON" "# Skiff's certificates of this server, while its panel is gone.
${minute:-$((RANDOM % 60))} * * * * skiff [ ! -f $FOLDER/renew.bash ] || $command >/dev/null 2>&1"
fi
echo "::state $changed"
