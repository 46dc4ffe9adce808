# Asks HAProxy whether it would read the file beside the one it uses. Changes nothing.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NEXT=/etc/skiff/haproxy.cfg.next

alerts=$(haproxy -c -f "$NEXT" 2>&1) && { rm -f "$NEXT"; exit 0; }
printf '%s\n' "$alerts" | tail -n 20
echo "::reason HAProxy does not accept it: $(printf '%s\n' "$alerts" | grep -m 1 ALERT | sed 's/^\[ALERT\][^:]*: *//' | cut -c1-300)"
exit 1
