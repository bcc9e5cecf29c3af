#!/usr/bin/env bash
# Copies the append only file of a running server on this machine, so that the copy is the data of one moment.
#
#   scripts/backup-aof.sh [options of redis-cli, such as -p 6380] FOLDER
#
# FOLDER must not exist; it becomes the server's appenddirname at the place where the copy is used. The last command may be cut off
# there, which a start with aof-load-truncated yes (the default) repairs. docs/aof.md tells why this is right.
set -u

fail() { echo "backup-aof: $*" >&2; exit 1; }

[ $# -ge 1 ] || fail "usage: backup-aof.sh [redis-cli options] FOLDER"
target=${!#}
options=("${@:1:$#-1}")
[ -e "$target" ] && fail "$target exists"

setting() { redis-cli "${options[@]}" CONFIG GET "$1" | sed -n 2p; }

dir=$(setting dir)
[ -n "$dir" ] || fail "the server does not answer"
[ "$(setting appendonly)" = yes ] || fail "the server has no append only file (appendonly)"
source=$dir/$(setting appenddirname)
manifest=$(setting appendfilename).manifest

copy() {
  mkdir "$target" && cp "$source/$manifest" "$target/" || return 1
  # From the last file to the first: whatever is written meanwhile, a file never lacks what the next one continues.
  while read -r name; do
    case $name in
      \"* | "") fail "$source/$manifest has a name that this script does not understand: $name" ;;
    esac
    cp "$source/$name" "$target/" 2>/dev/null || return 1
  done < <(sed -n 's/^file \([^ ]*\) .*/\1/p' "$target/$manifest" | tac)
}

# A rewrite may remove a file before it is copied: then once more, with what is there now.
for _ in $(seq 1 20); do
  copy && sync -f "$target" && exit 0
  rm -rf "${target:?}"
done
fail "the files changed too often while they were copied; is a rewrite running all the time?"
