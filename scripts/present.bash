# Says on this server that the panel is there, waits for a renewal that is at work, and says which certificates were renewed meanwhile, as
# GOT=id lines; SET=yes where everything is there for the next time.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
FOLDER=/var/lib/skiff/renew
# One certificate's limit, and a moment: between two it looks for the panel.
WAIT_S=330
cd "$FOLDER" 2>/dev/null || exit 0
: > panel || { echo "::reason $FOLDER/panel cannot be written: is the disk full?"; exit 1; }
exec 9>lock
flock -w "$WAIT_S" 9 || { echo "::reason A renewal on the server does not end: $FOLDER/log says what it does."; exit 1; }
for note in got/*; do
  id=${note#got/}
  [[ ! $id =~ ^[0-9a-f]{32}$ ]] || printf 'GOT=%s\n' "$id"
done
whole=yes
for file in renew.bash settings ca.pem list; do [ -f "$file" ] || whole=no; done
[ -e /etc/systemd/system/skiff-renew.timer ] || [ -e /etc/cron.d/skiff-renew ] || whole=no
[ -e /usr/lib/python3/dist-packages/acme_tiny.py ] || whole=no
printf 'SET=%s\n' "$whole"
