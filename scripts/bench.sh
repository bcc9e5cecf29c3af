#!/usr/bin/env bash
# rredis beside the redis-server installed on this machine: operations per second and server CPU per operation with
# redis-benchmark, and memory per key. Prints a table in Markdown.
#
#   scripts/bench.sh path/to/rredis-server
#
# KEYS (1000000) random keys, ROUNDS (3) of which the median counts, REQUESTS (200000) at pipeline 1, ten times as many
# with pipelining. Both servers run at once on free ports and are measured in turns, so that both meet the same machine. The
# machine should have nothing else to do, and two cores at least.
set -u

ours=$(realpath "${1:?usage: bench.sh path/to/rredis-server}")
keys=${KEYS:-1000000}
rounds=${ROUNDS:-3}
requests=${REQUESTS:-200000}

for program in redis-server redis-benchmark redis-cli; do
  command -v "$program" >/dev/null || { echo "bench: $program is not installed; this run compares with it" >&2; exit 1; }
done
stock=$(command -v redis-server)
work=$(mktemp -d "${TMPDIR:-/tmp}/rredis-bench.XXXXXX")
pids=()

stop_all() {
  trap - EXIT INT TERM
  for pid in ${pids[@]+"${pids[@]}"}; do kill -9 "$pid" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

note() { printf '%s\n' "$*" >&2; }
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start PROGRAM: sets `port`.
start() {
  local dir
  while :; do
    port=$((20000 + RANDOM % 12000))
    is_open "$port" || break
  done
  dir="$work/$port"
  mkdir -p "$dir"
  printf 'port %s\nbind 127.0.0.1\nsave ""\nappendonly no\ndir %s\nlogfile %s/log\n' "$port" "$dir" "$dir" >"$dir/redis.conf"
  "$1" "$dir/redis.conf" >/dev/null 2>&1 </dev/null &
  pids+=("$!")
  for _ in $(seq 100); do
    is_open "$port" && return
    sleep 0.1
  done
  note "bench: $1 did not start:"
  cat "$dir/log" >&2
  exit 1
}

# call PORT WORDS…
call() {
  local p=$1
  shift
  redis-cli -p "$p" "$@"
}
info() { call "$1" INFO "$2" | tr -d '\r' | sed -n "s/^$3://p"; }
cpu() { call "$1" INFO cpu | tr -d '\r' | awk -F: '/^used_cpu_(user|sys):/ { sum += $2 } END { printf "%.6f", sum }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# fill PORT KIND: `keys` keys of 16 bytes.
fill() {
  call "$1" FLUSHALL >/dev/null
  awk -v keys="$keys" -v kind="$2" 'BEGIN {
    words = kind == "expiry" ? 5 : 3
    for (i = 0; i < keys; i++) {
      value = kind == "integer" ? i % 1000 + 10000 : kind == "long" ? sprintf("val:%012d", i) : "xxx"
      printf "*%d\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", words, i, length(value), value
      if (kind == "expiry") printf "$2\r\nEX\r\n$6\r\n100000\r\n"
    }
  }' | redis-cli -p "$1" --pipe >/dev/null || { note "bench: filling failed"; exit 1; }
  [ "$(call "$1" DBSIZE)" = "$keys" ] || { note "bench: not all keys are there"; exit 1; }
}

# measure PORT COMMAND PIPELINE: prints operations per second and microseconds of server CPU per operation.
measure() {
  local n=$requests start_cpu rate
  [ "$3" = 1 ] || n=$((requests * 10))
  start_cpu=$(cpu "$1")
  if [ "$2" = GET ]; then set -- "$1" GET "$3" get key:__rand_int__; else set -- "$1" SET "$3" set key:__rand_int__ xxx; fi
  rate=$(redis-benchmark -p "$1" -n "$n" -r "$keys" -P "$3" -c 50 --csv "${@:4}" 2>/dev/null | tail -n 1 | cut -d, -f2 | tr -d '"')
  awk -v rate="$rate" -v from="$start_cpu" -v to="$(cpu "$1")" -v n="$n" 'BEGIN { printf "%.0f %.3f\n", rate, (to - from) * 1e6 / n }'
}

start "$stock"
stock_port=$port
start "$ours"
our_port=$port

note "Memory of $keys keys of 16 bytes"
version=$(info "$stock_port" server redis_version)
memory=""
for kind in short long integer expiry; do
  case "$kind" in
    short) label="value of 3 bytes" ;;
    long) label="value of 16 bytes" ;;
    integer) label="small integer" ;;
    expiry) label="value of 3 bytes, with expiry" ;;
  esac
  cells=""
  for p in "$stock_port" "$our_port"; do
    call "$p" FLUSHALL >/dev/null
    sleep 1
    before=$(info "$p" memory used_memory)
    fill "$p" "$kind"
    sleep 1
    cells="$cells $(awk -v a="$before" -v b="$(info "$p" memory used_memory)" -v k="$keys" 'BEGIN { printf "%.1f", (b - a) / k }')"
  done
  memory="$memory$(echo "$label|$cells" | awk -F'|' '{ split($2, c, " "); printf "| %s | %s | %s | %.2f |", $1, c[1], c[2], c[2] / c[1] }')"$'\n'
done

fill "$stock_port" short
fill "$our_port" short
speed=""
for pipeline in 1 16 128; do
  for command in GET SET; do
    note "$command, pipeline $pipeline"
    : >"$work/stock" && : >"$work/ours"
    for _ in $(seq "$rounds"); do
      measure "$stock_port" "$command" "$pipeline" >>"$work/stock"
      measure "$our_port" "$command" "$pipeline" >>"$work/ours"
    done
    row=""
    for side in stock ours; do
      row="$row $(cut -d' ' -f1 "$work/$side" | median) $(cut -d' ' -f2 "$work/$side" | median)"
    done
    speed="$speed$(echo "$row" | awk -v c="$command" -v p="$pipeline" \
      '{ printf "| %s | %d | %d | %d | %.3f | %.3f | %.2f |", c, p, $1, $3, $2, $4, ($2 > 0 ? $4 / $2 : 0) }')"$'\n'
  done
done

cat <<TEXT
rredis $("$ours" --version | head -n 1) beside Redis $version, $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
$keys keys, 50 connections, median of $rounds rounds

| command | pipeline | Redis ops/s | rredis ops/s | Redis CPU µs/op | rredis CPU µs/op | CPU ratio |
|---|---|---|---|---|---|---|
$speed
| bytes per key (used_memory) | Redis | rredis | ratio |
|---|---|---|---|
$memory
TEXT
