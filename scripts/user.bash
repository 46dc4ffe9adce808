# The user that Skiff signs in as. It is in the group docker, which makes it root already, and so may use sudo.
# PUBLIC_KEY: the line that lets the panel in; empty where it is in authorized_keys by hand.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
changed=unchanged
refuse() { echo "::reason $*"; exit 1; }
did() { echo "$*"; changed=changed; }

getent group docker >/dev/null || { groupadd --system docker && did "made the group docker" || refuse "The group docker cannot be made."; }
if ! getent passwd skiff >/dev/null; then
  # A password of "*" fits nothing but is not a locked account, which some sshd configurations refuse.
  useradd --create-home --home-dir /home/skiff --shell /bin/bash --user-group --password '*' --comment "Skiff signs in as this user" skiff ||
    refuse "The user skiff cannot be made."
  did "made the user skiff"
fi
line='skiff ALL=(ALL) NOPASSWD: ALL'
# A user of this name that is somebody's is not made root. Ours has that note, was made root before, or is who let us in just now.
[ "$(getent passwd skiff | cut -d: -f5 | cut -d, -f1)" = "Skiff signs in as this user" ] || [ "$(cat /etc/sudoers.d/skiff 2>/dev/null)" = "$line" ] ||
  [ "${SUDO_USER:-}" = skiff ] ||
  refuse "The user skiff of this server was not made by Skiff. Rename it, or let Skiff sign in as that user, then try again."
case " $(id -nG skiff) " in
  *" docker "*) ;;
  *) usermod --append --groups docker skiff || refuse "The user skiff cannot be put into the group docker."; did "put skiff into the group docker" ;;
esac

if command -v visudo >/dev/null 2>&1; then
  if [ "$(cat /etc/sudoers.d/skiff 2>/dev/null)" != "$line" ]; then
    new=$(mktemp) || refuse "No temporary file can be made: is the disk full?"
    printf '%s\n' "$line" > "$new"
    visudo -cqf "$new" || refuse "sudo does not accept the line for the user skiff."
    install -m 440 -o root -g root "$new" /etc/sudoers.d/skiff || refuse "/etc/sudoers.d/skiff cannot be written."
    rm -f "$new"
    did "let skiff use sudo"
  fi
else
  refuse "sudo is not installed."
fi

home=$(getent passwd skiff | cut -d: -f6)
keys=$home/.ssh/authorized_keys
if [ -n "${PUBLIC_KEY:-}" ] && ! grep -qxF -- "$PUBLIC_KEY" "$keys" 2>/dev/null; then
  case $PUBLIC_KEY in
    "ssh-ed25519 "* | "ssh-rsa "* | "ecdsa-sha2-"*) ;;
    *) refuse "The panel's key is not a line for authorized_keys." ;;
  esac
  install -d -m 700 -o skiff -g skiff "$home/.ssh" || refuse "$home/.ssh cannot be made."
  # A file that does not end with a newline would swallow the line.
  if [ -s "$keys" ] && [ -n "$(tail -c 1 "$keys")" ]; then echo >> "$keys"; fi
  printf '%s\n' "$PUBLIC_KEY" >> "$keys" || refuse "$keys cannot be written."
  chown skiff:skiff "$keys" && chmod 600 "$keys"
  did "let the panel's key in"
fi
echo "::state $changed"
