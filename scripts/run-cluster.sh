#!/usr/bin/env bash
# Starts a master, two replicas and three Sentinels from the shipped config files, shows how to connect, follows their
# logs in one stream and stops everything on Ctrl-C.
#
#   scripts/run-cluster.sh path/to/rredis-server
#
# SIGTERM and SIGHUP stop everything as well. PORT (6379) and SENTINEL_PORT (26379) are the first of three ports each;
# RUN_DIR (./run) holds data, logs and configs.
set -u

# A shell starts what it puts in the background with SIGINT ignored, and bash cannot undo that for itself. Whoever sends
# SIGINT here all the same wants to be heard.
if [ -z "${RREDIS_RUN_HEARS_INT-}" ] && env --default-signal=INT true 2>/dev/null; then
  RREDIS_RUN_HEARS_INT=1 exec env --default-signal=INT bash "$0" "$@"
fi
unset RREDIS_RUN_HEARS_INT

server=$(realpath "${1:?usage: run-cluster.sh path/to/rredis-server}")
port=${PORT:-6379}
sentinel_port=${SENTINEL_PORT:-26379}
run=${RUN_DIR:-run}
root=$(cd "$(dirname "$0")/.." && pwd)

fail() { echo "make run: $*" >&2; exit 1; }

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

for p in "$port" "$((port + 1))" "$((port + 2))" "$sentinel_port" "$((sentinel_port + 1))" "$((sentinel_port + 2))"; do
  if is_open "$p"; then
    fail "port $p is taken. Stop what listens there, or choose others: make run PORT=7379 SENTINEL_PORT=27379"
  fi
done

mkdir -p "$run" || fail "cannot create $run"
run=$(cd "$run" && pwd)
pids=()

# stop_all STATUS: ends the nodes, then this script.
stop_all() {
  trap '' INT TERM HUP
  trap - EXIT
  echo
  echo "Stopping."
  # Also whatever was started again by hand from these folders: every node writes its pid there.
  for file in "$run"/*/pid; do
    [ -f "$file" ] || continue
    pid=$(cat "$file" 2>/dev/null) || continue
    if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$server" ]; then pids+=("$pid"); fi
  done
  # All that was started here, `tail` included, even if the signal came before its pid was noted.
  for pid in "${pids[@]}" $(jobs -p); do kill "$pid" 2>/dev/null; done
  for _ in $(seq 1 100); do
    alive=0
    for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null && alive=1; done
    [ "$alive" = 0 ] && break
    sleep 0.1
  done
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
  wait 2>/dev/null
  echo "Everything is stopped. Data and logs are in $run."
  exit "$1"
}
trap 'stop_all 0' INT TERM HUP
trap 'stop_all $?' EXIT

for i in 0 1 2; do
  p=$((port + i))
  dir="$run/$p"
  rm -rf "$dir" && mkdir -p "$dir" || fail "cannot create $dir"
  {
    cat "$root/redis.conf"
    echo
    echo "# Added by make run."
    echo "port $p"
    echo "dir $dir"
    echo "logfile $dir/log"
    echo "pidfile $dir/pid"
    echo "repl-diskless-sync-delay 0"
    [ "$i" -gt 0 ] && echo "replicaof 127.0.0.1 $port"
  } > "$dir/redis.conf"
  : > "$dir/log"
  # A session of its own, so that Ctrl-C reaches this script only and the order of stopping is ours.
  setsid "$server" "$dir/redis.conf" &
  pids+=("$!")
done

for i in 0 1 2; do
  p=$((sentinel_port + i))
  dir="$run/$p"
  rm -rf "$dir" && mkdir -p "$dir" || fail "cannot create $dir"
  {
    sed -e "s/^port .*/port $p/" -e "s/^sentinel monitor mymaster .*/sentinel monitor mymaster 127.0.0.1 $port 2/" "$root/sentinel.conf"
    echo
    echo "# Added by make run: a second of silence is enough on one machine."
    echo "sentinel down-after-milliseconds mymaster 1000"
    echo "dir $dir"
    echo "logfile $dir/log"
    echo "pidfile $dir/pid"
  } > "$dir/sentinel.conf"
  : > "$dir/log"
  setsid "$server" "$dir/sentinel.conf" --sentinel &
  pids+=("$!")
done


is_complete() {
  for i in 1 2; do
    (exec 3<>"/dev/tcp/127.0.0.1/$((port + i))" && printf 'ROLE\r\nQUIT\r\n' >&3 && timeout 1 cat <&3) 2>/dev/null |
      grep -q connected || return 1
  done
  for i in 0 1 2; do
    (exec 3<>"/dev/tcp/127.0.0.1/$((sentinel_port + i))" &&
      printf 'INFO sentinel\r\n' >&3 && timeout 0.3 cat <&3) 2>/dev/null | grep -q 'slaves=2,sentinels=3' || return 1
  done
}

echo "Starting: three servers and three Sentinels."
for attempt in $(seq 1 100); do
  for pid in "${pids[@]}"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      cat "$run"/*/log >&2
      fail "a process ended during the start; its log is above"
    fi
  done
  is_complete && break
  [ "$attempt" = 100 ] && fail "the replicas or the Sentinels did not find each other; the logs are in $run"
  printf '.'
  sleep 0.1
done

cat <<TEXT

  master    127.0.0.1:$port
  replica   127.0.0.1:$((port + 1))   replica   127.0.0.1:$((port + 2))
  sentinel  127.0.0.1:$sentinel_port  127.0.0.1:$((sentinel_port + 1))  127.0.0.1:$((sentinel_port + 2))   (master name: mymaster, quorum 2)

  Write something       redis-cli -p $port set greeting hello
  Ask who is master     redis-cli -p $sentinel_port sentinel get-master-addr-by-name mymaster
  Kill the master       kill -9 ${pids[0]}
  Start it again        $server $run/$port/redis.conf &
  Data, logs, configs   $run

  Ctrl-C stops everything. The logs follow.

TEXT

# Not a pipeline: the one process that prints is the one that is ended. `wait` hears of signals, which a foreground command
# would keep waiting.
(cd "$run" && exec tail -q -n +1 -F ./*/log 2>/dev/null) &
wait "$!"
