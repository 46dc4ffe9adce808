# The folders of Skiff on a host: /etc/skiff (the proxy's files), /run/skiff (its sockets), /var/lib/skiff (releases).
# They belong to the user skiff, who writes into them over SFTP. The first panel leaves its mark: two would overwrite each
# other's files.
# PANEL: the panel's id; empty where none is known yet, and then no mark is made.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
changed=unchanged
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; }

getent passwd skiff >/dev/null || refuse "The user skiff is not there yet."

mark=/var/lib/skiff/panel
marked() { head -c 64 "$mark" 2>/dev/null | tr -cd '0-9a-f-'; }
ours() {
  local there; there=$(marked)
  [ -z "$there" ] || [ -z "${PANEL:-}" ] || [ "$there" = "$PANEL" ] ||
    refuse "Another panel made this server ready: $mark holds its id, $there, and this panel's is $PANEL. Two panels would overwrite each other's proxy. If the other panel is gone, or has forgotten this host, remove that file on the server and try again."
}
ours

folder() { # folder PATH MODE OWNER:GROUP
  local path=$1 mode=$2 owner=$3
  if [ -L "$path" ]; then refuse "$path is a symbolic link: Skiff writes only into folders of its own."; fi
  if [ ! -d "$path" ]; then
    mkdir "$path" || refuse "$path cannot be made."
    did "made $path"
  fi
  if [ "$(stat -c '%a %U:%G' "$path")" != "$mode $owner" ]; then
    chown "$owner" "$path" && chmod "$mode" "$path" || refuse "$path cannot be given to $owner."
    did "gave $path to $owner, mode $mode"
  fi
}
file() { # file PATH TEXT
  [ "$(cat "$1" 2>/dev/null)" = "$2" ] && return 0
  printf '%s\n' "$2" > "$1.new" && mv -f "$1.new" "$1" || refuse "$1 cannot be written."
  did "wrote $1"
}

folder /var/lib/skiff 755 skiff:skiff
if [ -n "${PANEL:-}" ] && [ -z "$(marked)" ]; then
  # An empty one is what a full disk leaves.
  [ -s "$mark" ] || rm -f "$mark"
  # Of two panels at once one makes the file, and the other one reads it.
  if (set -C; printf '%s\n' "$PANEL" > "$mark") 2>/dev/null; then did "wrote $mark"; fi
  [ -n "$(marked)" ] || refuse "$mark cannot be written: is the disk full?"
  ours
fi
folder /etc/skiff 755 skiff:skiff
folder /etc/skiff/maps 755 skiff:skiff
# Private keys.
folder /etc/skiff/certs 700 skiff:skiff
# Files of a release hold secrets: nobody else looks into this one.
folder /var/lib/skiff/apps 700 skiff:skiff
if [ -d /run/systemd/system ]; then
  file /etc/tmpfiles.d/skiff.conf 'd /run/skiff 0750 skiff skiff -'
fi
folder /run/skiff 750 skiff:skiff
echo "::state $changed"
