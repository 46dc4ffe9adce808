# Asks HAProxy whether it would read the file beside the one it uses, and looks whether the ports of apps in it are free. Changes nothing.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NEXT=/etc/skiff/haproxy.cfg.next

# A port that somebody else has is found out only when it is bound, and the running proxy has let go of all of its own by then, for seconds.
for port in $(sed -n 's/^frontend tcp-\([0-9]*\) .*/\1/p' "$NEXT"); do
  other=$(ss -H -ltnp "sport = :$port" | awk '/users:/ && !/"haproxy"/ && ($4 !~ /^\[/ || $4 ~ /^\[::ffff:/)' | sed -n 's/.*(("\([^"]*\)",pid=\([0-9]*\).*/\1, process \2/p' | head -n 1)
  [ -z "$other" ] || { rm -f "$NEXT"; echo "::reason Port $port cannot be opened: something else on the host listens there ($other)"; exit 1; }
done

alerts=$(haproxy -c -f "$NEXT" 2>&1) && { rm -f "$NEXT"; exit 0; }
printf '%s\n' "$alerts" | tail -n 20
echo "::reason HAProxy does not accept it: $(printf '%s\n' "$alerts" | grep -m 1 ALERT | sed 's/^\[ALERT\][^:]*: *//' | cut -c1-300)"
exit 1
