# Renews this server's certificates while its panel is gone. A timer of the server runs it as the user skiff every hour, in its own folder.
# It does nothing while the panel was here within the last days, and nothing for a certificate of which more than a sixth of the life is left.
#
# panel: its age is how long the panel has been gone. settings: the directory of the authority. ca.pem: the
# authority's own root, where it has one. list: a line for each certificate, its id and its names. account-key: this server's own account,
# made when it is first needed. tried/: when each was last tried. got/: what was renewed and the panel has not seen yet.
set -euo pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
CERTS=/etc/skiff/certs MAP=/etc/skiff/maps/acme.map
SOCKET=/run/skiff/haproxy.sock MASTER=/run/skiff/haproxy-master.sock
# The panel comes once a day: this is several visits that did not happen.
GONE_S=$((3 * 86400))
# What is left of a life when it is renewed here; the panel does it at a third.
SHARE=6
# Between two tries for one certificate, and between a limit that the authority set and the next question to it.
PAUSE_S=$((12 * 3600))
# Certificates of one run.
MOST=5
# One certificate: the authority looks, and signs.
LIMIT_S=300
# HAProxy reads a command with what follows it into one buffer of 16 KiB.
LIVE_BYTES=15000
LOG_LINES=500

cd /var/lib/skiff/renew
exec 9>lock
# The panel, or another run.
flock -n 9 || exit 0
now=$(date +%s)
say() { printf '%s %s\n' "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$*" | tr -cd '\n -~' | cut -c1-600 | tee -a log; }
age() { # age FILE: seconds, or nothing
  local at; at=$(stat -c %Y "$1" 2>/dev/null) || return 1
  echo $((now - at))
}
whole() { sync "$1" && mv -f "$1" "$2"; } # whole FROM TO

proxy() { printf '%s\n' "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKET" 2>/dev/null || true; }
answers() { # what the proxy's file answers an authority with
  local key='' value=''
  read -r key value < "$MAP" 2>/dev/null || true
  if [[ $key = thumbprint && $value =~ ^[A-Za-z0-9_-]{43}$ ]]; then printf '%s' "$value"; fi
}
answer_with() { # answer_with THUMBPRINT, or nothing: file and running proxy
  local said
  { [ -z "$1" ] || printf 'thumbprint %s\n' "$1"; } > "$MAP.renew" || return 1
  chmod 644 "$MAP.renew" || return 1
  whole "$MAP.renew" "$MAP" || return 1
  if [ -z "$1" ]; then proxy "del map $MAP thumbprint" >/dev/null; return 0; fi
  said=$(proxy "set map $MAP thumbprint $1")
  case $said in *'not found'*) proxy "add map $MAP thumbprint $1" >/dev/null ;; esac
}
give_back() { # the answer that stood there before ours; whoever has changed it since is the panel
  [ -e former ] || return 0
  local mine='' before='' is
  read -r mine before < former || true
  if [[ $mine =~ ^[A-Za-z0-9_-]{43}$ && $before =~ ^(none|[A-Za-z0-9_-]{43})$ ]]; then
    before=${before#none}
    is=$(answers)
    # File and proxy are changed one after the other: whoever was stopped in between is gone on with.
    if [ "$is" = "$mine" ] || [ "$is" = "$before" ]; then answer_with "$before" || return 1; fi
  fi
  rm -f former
}

serial() { openssl x509 -in "$1" -noout -serial 2>/dev/null | sed 's/^serial=0*//'; }
served() { # served FILE: the running proxy has what stands there
  local is; is=$(proxy "show ssl cert $1" | sed -n 's/^Serial: *0*//p' | head -n 1)
  [ -n "$is" ] && [ "$is" = "$(serial "$1")" ]
}
serve() { # serve FILE: by a reload only where it is too long for a command, or HAProxy does not know it
  if [ "$(stat -c %s "$1")" -le "$LIVE_BYTES" ]; then
    # Whoever was stopped in between has left an open change behind.
    proxy "abort ssl cert $1" >/dev/null
    proxy "set ssl cert $1 <<
$(cat "$1")
" >/dev/null
    proxy "commit ssl cert $1" >/dev/null
  fi
  served "$1" && return 0
  printf 'reload\n' | socat -t 5 - "UNIX-CONNECT:$MASTER" >/dev/null 2>&1 || true
  for _ in {1..100}; do served "$1" && return 0; sleep 0.1; done
  return 1
}

# A run that was killed may have left its answer, and a new certificate that the proxy was not told of.
give_back
rm -rf work
for note in got/*; do
  id=${note#got/}
  [[ $id =~ ^[0-9a-f]{32}$ && -f $CERTS/$id.pem ]] || continue
  served "$CERTS/$id.pem" || serve "$CERTS/$id.pem" || say "the proxy does not serve $id.pem yet"
done

[ -f list ] && [ -f settings ] || exit 0
gone=$(age panel) || exit 0
[ "$gone" -ge "$GONE_S" ] || exit 0
if held=$(age held) && [ "$held" -lt "$PAUSE_S" ]; then exit 0; fi
mkdir -p tried got

clean_up() {
  give_back || true
  rm -rf work
  if [ -f log ] && [ "$(wc -l < log)" -gt $((2 * LOG_LINES)) ]; then tail -n "$LOG_LINES" log > log.new && mv -f log.new log; fi
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
thumbprint() { # of the account's key (RFC 7638)
  local n
  n=$(openssl rsa -in account-key -noout -modulus 2>/dev/null | sed -n 's/^Modulus=//p')
  n=$(printf '%b' "$(sed 's/../\\x&/g' <<< "$n")" | b64)
  printf '{"e":"AQAB","kty":"RSA","n":"%s"}' "$n" | openssl dgst -sha256 -binary | b64
}

# Asks as ourselves first: 3 where a name does not lead here, and the authority is not asked; 4 where it does not want to be asked now,
# 5 where it is not reached.
ASK='
import http.client, logging, os, socket, sys, urllib.error, urllib.request
import acme_tiny
thumbprint, names = os.environ["THUMBPRINT"], os.environ["NAMES"].split()
socket.setdefaulttimeout(20)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for name in names:
    token = os.urandom(16).hex()
    try:
        said = opener.open("http://" + name + "/.well-known/acme-challenge/" + token).read(200).decode("ascii", "replace")
    except urllib.error.HTTPError as error:
        said = str(error.code)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", error), socket.gaierror):
            print(name + " has no address", file=sys.stderr)
            sys.exit(3)
        # A server need not reach itself by its outer address.
        continue
    if said.strip() != token + "." + thumbprint:
        print(name + " leads to another server", file=sys.stderr)
        sys.exit(3)
with open("settings", encoding="utf-8") as file:
    directory = file.readline().strip()
quiet = logging.getLogger("quiet")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
try:
    chain = acme_tiny.get_crt("account-key", "work/csr", "work/tokens", log=quiet, disable_check=True,
                              directory_url=directory)
except Exception as error:
    text = str(error)
    print(" ".join(text[text.find("Response Code:"):].split()) if "Response Code:" in text else " ".join(text.split()), file=sys.stderr)
    if text.startswith("Error getting directory"):
        sys.exit(5)
    sys.exit(4 if "rateLimited" in text or "Response Code: 429" in text or "Response Code: 503" in text else 1)
with open("work/chain", "w") as file:
    file.write(chain)
'

renew() { # renew ID NAME…: 0 where it was renewed, 4 where the authority is to be left alone, 5 where it is not reached
  local id=$1 file=$CERTS/$1.pem status=0 names; shift
  mkdir -p work/tokens
  names=$(printf 'DNS:%s,' "$@")
  printf '[req]\nprompt = no\ndistinguished_name = dn\nreq_extensions = ext\n[dn]\n[ext]\nsubjectAltName = %s\n' "${names%,}" > work/conf
  if ! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out work/key 2>/dev/null ||
    ! openssl req -new -config work/conf -key work/key -subj / -out work/csr 2>/dev/null; then
    say "$* not renewed: its request cannot be made"
    return 1
  fi
  NAMES="$*" THUMBPRINT=$ours timeout -k 10 "$LIMIT_S" /usr/bin/python3 -I -c "$ASK" 2>work/said || status=$?
  if [ "$status" != 0 ]; then
    say "$* not renewed ($status): $(tail -n 1 work/said)"
    return "$status"
  fi
  # What was signed is looked at, as it would stand there, before it stands there.
  if ! cat work/chain work/key | sed '/^[[:space:]]*$/d' > "$file.renew" ||
    [ "$(openssl x509 -in "$file.renew" -noout -pubkey)" != "$(openssl pkey -in "$file.renew" -pubout)" ] ||
    [ "$(ends "$file.renew")" -le "$(ends "$file")" ]; then
    rm -f "$file.renew"
    say "$* not renewed: what the authority signed cannot be kept, has another key, or does not last longer"
    return 1
  fi
  : > "got/$id" || return 1
  whole "$file.renew" "$file" || return 1
  serve "$file" || say "$* renewed, and the proxy does not serve it yet"
  say "$* renewed until $(openssl x509 -in "$file" -noout -enddate | cut -d= -f2)"
}
moment() { date -d "$(openssl x509 -in "$1" -noout "$2" | cut -d= -f2)" +%s; }
ends() { moment "$1" -enddate; }

is_name() { [[ ${#1} -le 253 && $1 =~ ^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]]; }
due() { # due ID: a sixth of its life or less is left, and it was not tried lately
  local file=$CERTS/$1.pem from to tried
  [ -f "$file" ] && [ ! -L "$file" ] || return 1
  from=$(moment "$file" -startdate) && to=$(ends "$file") || return 1
  [ $((to - now)) -le $(((to - from) / SHARE)) ] || return 1
  if tried=$(age "tried/$1"); then [ "$tried" -ge "$PAUSE_S" ] || return 1; fi
}

ours='' tries=0
while read -r id rest <&3; do
  read -ra names <<< "$rest"
  if ! [[ $id =~ ^[0-9a-f]{32}$ ]] || [ ${#names[@]} = 0 ] || [ ${#names[@]} -gt 100 ]; then continue; fi
  for name in "${names[@]}"; do is_name "$name" || continue 2; done
  due "$id" || continue
  # It may have come back meanwhile: then it waits for the end of this run.
  gone=$(age panel) || break
  [ "$gone" -ge "$GONE_S" ] || break
  if [ -z "$ours" ]; then
    say "the panel has not been here for $((gone / 86400)) days"
    [ ! -s ca.pem ] || export SSL_CERT_FILE=$PWD/ca.pem
    if [ ! -s account-key ]; then
      openssl genrsa -out account-key.new 2048 2>/dev/null
      whole account-key.new account-key
    fi
    ours=$(thumbprint)
    before=$(answers)
    printf '%s %s\n' "$ours" "${before:-none}" > former.new
    whole former.new former
    answer_with "$ours"
  fi
  # Noted before it is tried: a try that is killed is one, too.
  : > "tried/$id"
  status=0
  renew "$id" "${names[@]}" || status=$?
  rm -rf work
  if [ "$status" = 4 ]; then
    say "the authority is left alone for $((PAUSE_S / 3600)) hours"
    : > held
    break
  fi
  if [ "$status" = 5 ]; then
    # Nothing was asked for: the next run asks again.
    rm -f "tried/$id"
    break
  fi
  # A name that leads elsewhere by now costs the authority nothing, and is in no other's way.
  [ "$status" = 3 ] || tries=$((tries + 1))
  [ "$tries" -lt "$MOST" ] || break
done 3< list
