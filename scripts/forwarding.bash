# Says what in sshd's configuration forbids the forwarding that Skiff reaches Docker and the proxy by: a line
# "::forbids SETTING VALUE FILE LINE" for each such setting, none where nothing does. Changes nothing.
# WHO: the user that signs in.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The sshd that serves this connection is above us; it may have a configuration of its own.
file=/etc/ssh/sshd_config
pid=$$
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
  pid=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f2)
  [ "${pid:-0}" -gt 0 ] || break
  case $(cat "/proc/$pid/comm" 2>/dev/null) in sshd*) ;; *) continue ;; esac
  line=$(tr '\0' ' ' < "/proc/$pid/cmdline")
  case $line in *" -f "*) file=${line#* -f }; file=${file%% *} ;; esac
done

sshd=$(command -v sshd) || exit 0
settings=$("$sshd" -T -f "$file" -C "user=$WHO,host=localhost,addr=127.0.0.1" 2>/dev/null) || exit 0

forbids() { # forbids SETTING VALUE, where the setting has this value
  local at included
  included=$(sed -n 's/^[[:space:]]*[Ii]nclude[[:space:]]\{1,\}//p' "$file" 2>/dev/null)
  # Unquoted: an Include is a list of patterns.
  at=$(cd "${file%/*}" && grep -EinH "^[[:space:]]*$1[[:space:]=]+\"?$2" $included "$file" 2>/dev/null | head -n 1)
  case $at in
    "") echo "::forbids $1 $2 $file 0" ;;
    *) at=${at%:*}; echo "::forbids $1 $2 ${at%%:*} $(echo "${at#*:}" | cut -d: -f1)" ;;
  esac
}
value() { printf '%s\n' "$settings" | sed -n "s/^$1 //p" | head -n 1; }
case $(value disableforwarding) in yes) forbids DisableForwarding yes ;; esac
case $(value allowtcpforwarding) in no | remote) forbids AllowTcpForwarding "$(value allowtcpforwarding)" ;; esac
case $(value allowstreamlocalforwarding) in no | remote) forbids AllowStreamLocalForwarding "$(value allowstreamlocalforwarding)" ;; esac
exit 0
