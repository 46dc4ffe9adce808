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
  have=$(free_memory)
  lack=$((COMPILER_MB - have))
  # One that a killed run left behind goes with this run.
  if [ "$lack" -le 0 ]; then
    [ ! -e "$folder/compiler.swap" ] || LENT=$folder/compiler.swap
    return 0
  fi
  end_swap "$folder/compiler.swap"
  if [ "$(id -u)" != 0 ]; then
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, and $have MB are free. If it is killed: run this as root, which makes swap while it builds, or give the machine $lack MB of swap."
    return 0
  fi
  disk=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  if [ "$disk" -lt $((lack + KEEP_FREE_MB)) ]; then
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, $have MB are free, and $folder has $disk MB left: too little for $lack MB of swap beside the build. If it is killed: free some disk, or memory."
    return 0
  fi
  # A file with holes is no swap: where the file system cannot set the room aside, zeros are written.
  if words=$( (umask 077; fallocate -l "${lack}M" "$folder/compiler.swap" 2>/dev/null || dd if=/dev/zero of="$folder/compiler.swap" bs=1M count="$lack" status=none) 2>&1 &&
    { mkswap "$folder/compiler.swap" >/dev/null && swapon "$folder/compiler.swap"; } 2>&1); then
    LENT=$folder/compiler.swap
    echo "$have MB of memory are free, and the compiler takes $COMPILER_MB MB at its most: $lack MB of swap are there while it builds. That makes it slower."
  else
    rm -f "$folder/compiler.swap"
    echo "The compiler takes $COMPILER_MB MB of memory and swap at its most, $have MB are free, and this machine makes no swap of its own: ${words##*: }. If it is killed: give the machine $lack MB of swap."
  fi
}

end_swap() {
  [ -e "$1" ] || return 0
  ! grep -qF -- "$1 " /proc/swaps || swapoff "$1" || return 0
  rm -f "$1"
}

take_memory_back() {
  [ -n "$LENT" ] || return 0
  end_swap "$LENT"
  LENT=
}
