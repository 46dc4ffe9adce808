# Memory for the compiler on a small machine: swap that is there for as long as it builds. bin/up and bin/package read this file.
#   lend_memory FOLDER   where less than COMPILER_MB are free, makes a swap file in FOLDER; says why where it cannot, and goes on
#   take_memory_back     ends it and removes the file; does nothing where there is none
# MEMINFO=…            in place of /proc/meminfo

# What the compiler took at its most for the program (measured in the profiles release and dist: 5.2 GB), and something for what runs beside it.
COMPILER_MB=${COMPILER_MB:-6000}
# A disk is left with that much: the build's own files are beside the swap.
KEEP_FREE_MB=${KEEP_FREE_MB:-3000}
LENT=

free_memory() { # in MB, swap counted
  awk '$1 == "MemAvailable:" || $1 == "SwapFree:" { kb += $2 } END { print int(kb / 1024) }' "${MEMINFO:-/proc/meminfo}"
}

lend_memory() {
  local folder=$1 have lack disk words
  sweep_memory "$folder"
  have=$(free_memory)
  lack=$((COMPILER_MB - have))
  [ "$lack" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, and $have MB are free. If it is killed: run this as root, which makes swap while it builds, or give the machine $lack MB of swap."
    return 0
  fi
  disk=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  if [ "$disk" -lt $((lack + KEEP_FREE_MB)) ]; then
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, $have MB are free, and $folder has $disk MB left: too little for $lack MB of swap beside the build. If it is killed: free some disk, or memory."
    return 0
  fi
  # Known before it is made: whatever ends this run takes it away.
  LENT=$folder/compiler.$$.swap
  # The folder may be another user's: nothing is written through a link of theirs.
  rm -f "$LENT"
  # A file with holes is no swap: where the file system cannot set the room aside, zeros are written.
  if words=$( (umask 077; fallocate -l "${lack}M" "$LENT" 2>/dev/null || dd if=/dev/zero of="$LENT" bs=1M count="$lack" status=none) 2>&1 &&
    { mkswap "$LENT" >/dev/null && swapon "$LENT"; } 2>&1); then
    echo "$have MB of memory are free, and the compiler takes $COMPILER_MB MB at its most: $lack MB of swap are there while it builds. That makes it slower."
  else
    take_memory_back
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, $have MB are free, and this machine makes no swap of its own: ${words##*: }. If it is killed: give the machine $lack MB of swap."
  fi
}

# Takes away what killed runs left behind. Another run's that goes on has its process.
sweep_memory() {
  local file run
  for file in "$1"/compiler.*.swap; do
    run=${file##*/compiler.}
    [ ! -e "$file" ] || [ -d "/proc/${run%.swap}" ] || end_swap "$file"
  done
}

# What is swapped out comes back first; where there is no room for it, the file stays until the machine is started anew.
end_swap() {
  swapoff "$1" 2>/dev/null || true
  rm -f "$1" 2>/dev/null || true
}

take_memory_back() {
  [ -n "$LENT" ] || return 0
  end_swap "$LENT"
  LENT=
}
