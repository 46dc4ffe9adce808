
# Shows what a step does, and whether it changed anything.
changes=()
step() { # step WORDS FUNCTION
  local line state= status
  printf '%s\n' "$1"
  while IFS= read -r line; do
    case $line in
      '::state '*) state=${line#::state } ;;
      '::reason '*) printf '    %s\n' "${line#::reason }" ;;
      '::status '*) status=${line#::status } ;;
      *) printf '    %s\n' "$line" ;;
    esac
  done < <("$2" </dev/null 2>&1; echo "::status $?")
  if [ "${status:-1}" != 0 ]; then
    echo "This server is not ready for Skiff yet: see above. Mend that, and run this again."
    exit 1
  fi
  printf '    %s\n' "$state"
  [ "$state" != changed ] || changes+=("$1")
}

# The proxy's files as they are on a host that serves nothing yet; those of a host that does are left alone.
first_proxy() {
  if [ ! -e /etc/skiff/haproxy.cfg ]; then
    local lists=(/etc/skiff/certs/list /etc/skiff/maps/{routes,https,hsts,acme}.map /etc/skiff/maps/peers.lst)
    empty_proxy > /etc/skiff/haproxy.cfg.new && touch "${lists[@]}" &&
      chown skiff:skiff /etc/skiff/haproxy.cfg.new "${lists[@]}" &&
      mv /etc/skiff/haproxy.cfg.new /etc/skiff/haproxy.cfg || { echo "::reason /etc/skiff/haproxy.cfg cannot be written."; return 1; }
  fi
  proxy
}

main() {
  set -u
  [ "$(id -u)" = 0 ] || { echo "Run this as root: sudo bash THIS-FILE" >&2; exit 1; }
  step "install Docker, HAProxy and what they need" packages
  step "make the user skiff" user
  step "make the folders" folders
  step "run Docker" docker_engine
  step "run the proxy" first_proxy
  if [ ${#changes[@]} = 0 ]; then echo "Nothing was changed: this server is ready for Skiff."; else echo "This server is ready for Skiff: add it there as a host, with the user skiff."; fi
}
main
