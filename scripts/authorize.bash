# Lets the panel's key in for the user that signed in, who may be somebody other than root and then needs sudo. What is
# missing for that is said before anything is changed.
# PUBLIC_KEY: the line for authorized_keys.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
refuse() { echo "::reason $*"; exit 1; }

case $PUBLIC_KEY in
  "ssh-ed25519 "* | "ssh-rsa "* | "ecdsa-sha2-"*) ;;
  *) refuse "The panel's key is not a line for authorized_keys." ;;
esac
me=$(id -un)
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 ||
    refuse "$me is not root, and there is no sudo on the server. Sign in as root, or install sudo and let $me use it. Nothing was changed."
  sudo -n true >/dev/null 2>&1 ||
    refuse "$me may not use sudo without a password. Write the line \"$me ALL=(ALL) NOPASSWD: ALL\" into /etc/sudoers.d/$me, or sign in as root. Nothing was changed."
fi

keys=$HOME/.ssh/authorized_keys
if grep -qxF -- "$PUBLIC_KEY" "$keys" 2>/dev/null; then echo "::state unchanged"; exit 0; fi
mkdir -p "$HOME/.ssh" || refuse "$HOME/.ssh cannot be made."
# A file that does not end with a newline would swallow the line.
if [ -s "$keys" ] && [ -n "$(tail -c 1 "$keys")" ]; then echo >> "$keys" || refuse "$keys cannot be written."; fi
printf '%s\n' "$PUBLIC_KEY" >> "$keys" || refuse "$keys cannot be written: is the disk full?"
# sshd takes no file that others may write.
chmod go-w "$HOME/.ssh" "$keys" || refuse "$keys cannot be given the rights that sshd wants."
echo "let the panel's key in for $me"
echo "::state changed"
