#!/usr/bin/env bash
# Real client libraries write through a failover, and two of them keep answers in a cache of their own.
#
#   tests/clients/run.sh path/to/rredis-server
#   tests/clients/run.sh --build                   only builds the programs, which takes a minute or two the first time
#
# The libraries: go-redis, redis-py, ioredis, redis-rs, Jedis. Starts a master, two replicas and three Sentinels as daemons
# on free ports in a temporary folder. Each client program writes to databases 0 and 3; in the middle its master is killed
# with SIGKILL, and it must find the new one through the Sentinels, go on, and find every write acknowledged since the
# switch, at the replicas too. Then the killed server is started again and must come back as a replica before the next
# program has its turn.
#
# What is not installed is skipped and named; with CI set that is a failure. The last line is `N passed, N failed`.
set -u

if [ "${1:?usage: run.sh path/to/rredis-server, or run.sh --build}" = --build ]; then server=""; else server=$(realpath "$1"); fi
here=$(cd "$(dirname "$0")" && pwd)
build=${CARGO_TARGET_DIR:-$here/../../target}/clients
mkdir -p "$build" && build=$(cd "$build" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/rredis-clients.XXXXXX")
passed=0
failed=0
skipped=()
client=""

say() { printf '== %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# The pid of the node in folder $1, if it runs. It works in that folder, so no other process is taken for it.
pid_of() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(realpath "$1")" ] && echo "$pid"
}

# What is needed to understand a failure, before the folder goes.
show_logs() {
  local log
  for log in "$work"/*/log; do
    [ -f "$log" ] || continue
    say "last lines of $log"
    tail -n 15 "$log"
  done
}

stop_all() {
  trap - EXIT INT TERM
  [ -n "$client" ] && kill "$client" 2>/dev/null
  local folder pid
  for folder in "$work"/*/; do
    pid=$(pid_of "${folder%/}") && kill -9 "$pid" 2>/dev/null
  done
  rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

give_up() {
  say "FAILED: $*"
  show_logs
  echo "$passed passed, $((failed + 1)) failed"
  exit 1
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    case " ${taken[*]-} " in *" $port "*) continue ;; esac
    is_open "$port" || break
  done
  taken+=("$port")
}

# ask PORT COMMAND: the raw reply, at most a second.
ask() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf '%s\r\nQUIT\r\n' "$2" >&3 && timeout 1 cat <&3) 2>/dev/null | tr -d '\r'
}

# start FOLDER WORDS…: a daemon; returns when it has detached.
start() {
  local folder=$1
  shift
  (cd "$folder" && timeout 30 "$server" "$@" </dev/null >>"$folder/output" 2>&1)
}

# wait_until SECONDS WHAT COMMAND…
wait_until() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || give_up "did not happen in time: $what"
    sleep 0.1
  done
}

master_port() { ask "${sentinels[0]}" "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster" | sed -n 5p; }

# One master, both others connected to it, and every Sentinel agrees.
is_complete() {
  local master port replicas=0 role
  master=$(master_port)
  [ -n "$master" ] || return 1
  for port in "${servers[@]}"; do
    role=$(ask "$port" ROLE)
    if [ "$port" = "$master" ]; then
      grep -qx master <<<"$role" || return 1
    else
      grep -qx slave <<<"$role" && grep -qx ":$master" <<<"$role" && grep -qx connected <<<"$role" || return 1
      replicas=$((replicas + 1))
    fi
  done
  [ "$replicas" = 2 ] || return 1
  for port in "${sentinels[@]}"; do
    ask "$port" "INFO sentinel" | grep -q "status=ok,address=127.0.0.1:$master,slaves=2,sentinels=3" || return 1
  done
}

folder_of() { echo "$work/$1"; }

start_server() { start "$(folder_of "$1")" "$(folder_of "$1")/redis.conf"; }

start_cluster() {
  taken=()
  for _ in 1 2 3 4 5 6; do free_port; done
  servers=("${taken[@]:0:3}")
  sentinels=("${taken[@]:3:3}")
  local port folder
  for port in "${servers[@]}"; do
    folder=$(folder_of "$port")
    mkdir -p "$folder"
    {
      echo "port $port"
      echo "bind 127.0.0.1"
      echo "protected-mode yes"
      echo 'requirepass ""'
      echo "daemonize yes   # as people write it"
      echo "dir $folder"
      echo "logfile $folder/log"
      echo "pidfile $folder/pid"
      echo "repl-diskless-sync-delay 0"
      echo 'save ""'
      [ "$port" = "${servers[0]}" ] || echo "replicaof 127.0.0.1 ${servers[0]}"
    } >"$folder/redis.conf"
    start_server "$port" || give_up "the server on port $port did not start: $(cat "$folder/output")"
  done
  for port in "${sentinels[@]}"; do
    folder=$(folder_of "$port")
    mkdir -p "$folder"
    {
      echo "port $port"
      echo "bind 127.0.0.1"
      echo "daemonize yes"
      echo "dir $folder"
      echo "logfile $folder/log"
      echo "pidfile $folder/pid"
      echo "sentinel monitor mymaster 127.0.0.1 ${servers[0]} 2"
      echo "sentinel down-after-milliseconds mymaster 1000"
      echo "sentinel failover-timeout mymaster 10000"
    } >"$folder/sentinel.conf"
    start "$folder" "$folder/sentinel.conf" --sentinel || give_up "the Sentinel on port $port did not start: $(cat "$folder/output")"
  done
  wait_until 60 "the replicas and the Sentinels find each other" is_complete
  say "servers ${servers[*]}, Sentinels ${sentinels[*]}: complete"
}

# failover NAME COMMAND…: runs the program, kills the master when it says that it is ready, and looks at its verdict.
failover() {
  local name=$1 output="$work/$1.out" master pid end
  shift
  say "$name: writes through a failover"
  master=$(master_port)
  : >"$output"
  timeout 200 "$@" >"$output" 2>&1 </dev/null &
  client=$!
  end=$((SECONDS + 90))
  until grep -qx ready "$output"; do
    if ! kill -0 "$client" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then break; fi
    sleep 0.1
  done
  if grep -qx ready "$output"; then
    sleep 0.5
    pid=$(pid_of "$(folder_of "$master")") || give_up "no process of the master on port $master"
    say "$name: kills the master, pid $pid, port $master"
    kill -9 "$pid"
  else
    kill "$client" 2>/dev/null
  fi
  if wait "$client" && grep -qx ok "$output"; then
    passed=$((passed + 1))
    sed "s/^/   /" "$output"
    say "$name: passed"
  else
    failed=$((failed + 1))
    sed "s/^/   /" "$output"
    say "$name: FAILED"
    show_logs
  fi
  client=""
  if ! is_open "$master"; then
    start_server "$master" || give_up "the killed server on port $master does not start again"
    wait_until 60 "the killed server comes back as a replica" is_complete
    say "$name: the killed server is a replica now"
  fi
}

# caching NAME COMMAND…: the program reads through a cache, at the present master.
caching() {
  local name=$1 output="$work/$1.caching"
  shift
  say "$name: reads through a cache"
  if timeout 120 "$@" "127.0.0.1:$(master_port)" >"$output" 2>&1 </dev/null && grep -qx ok "$output"; then
    passed=$((passed + 1))
    say "$name: caching passed"
  else
    failed=$((failed + 1))
    say "$name: caching FAILED"
    show_logs
  fi
  sed "s/^/   /" "$output"
}

skip() {
  skipped+=("$1")
  say "SKIPPED: $1"
}

build_go() {
  has go || { skip "go-redis: go is not installed"; return 1; }
  mkdir -p "$build/go"
  (cd "$here/go" && timeout 600 go build -o "$build/go/failover" .) >"$build/go/log" 2>&1 && return 0
  cat "$build/go/log"
  skip "go-redis: the program could not be built; its modules come from the network"
  return 1
}

build_python() {
  has python3 || { skip "redis-py: python3 is not installed"; return 1; }
  local venv="$build/python"
  cmp -s "$here/python/requirements.txt" "$venv/installed" && return 0
  rm -rf "$venv"
  if timeout 120 python3 -m venv "$venv" >"$build/python.log" 2>&1 &&
    timeout 300 "$venv/bin/pip" install -q -r "$here/python/requirements.txt" >>"$build/python.log" 2>&1; then
    cp "$here/python/requirements.txt" "$venv/installed"
    return 0
  fi
  cat "$build/python.log"
  skip "redis-py: no venv with it could be made; it needs python3-venv, pip and the network"
  return 1
}

build_node() {
  has npm || { skip "ioredis: node and npm are not installed"; return 1; }
  local folder="$build/node"
  mkdir -p "$folder"
  cp "$here/node/failover.js" "$here/node/caching.js" "$folder/"
  cmp -s "$here/node/package-lock.json" "$folder/installed" && return 0
  cp "$here/node/package.json" "$here/node/package-lock.json" "$folder/"
  if (cd "$folder" && timeout 300 npm ci --no-audit --no-fund) >"$build/node.log" 2>&1; then
    cp "$here/node/package-lock.json" "$folder/installed"
    return 0
  fi
  cat "$build/node.log"
  skip "ioredis: it could not be installed; it comes from the network"
  return 1
}

build_rust() {
  has cargo || { skip "redis-rs: cargo is not installed"; return 1; }
  if (cd "$here/rust" && CARGO_TARGET_DIR="$build/rust" timeout 900 cargo build --locked) >"$build/rust.log" 2>&1; then
    return 0
  fi
  cat "$build/rust.log"
  skip "redis-rs: the program could not be built; its crates come from the network"
  return 1
}

build_java() {
  has mvn || { skip "Jedis: java and mvn are not installed"; return 1; }
  local folder="$build/java"
  mkdir -p "$folder"
  cat "$here/java/pom.xml" "$here/java/src/main/java/Failover.java" >"$folder/wanted"
  cmp -s "$folder/wanted" "$folder/installed" && return 0
  cp -r "$here/java/pom.xml" "$here/java/src" "$folder/"
  if (cd "$folder" && timeout 600 mvn -q -B compile dependency:copy-dependencies) >"$build/java.log" 2>&1; then
    mv "$folder/wanted" "$folder/installed"
    return 0
  fi
  cat "$build/java.log"
  skip "Jedis: the program could not be built; it comes from the network"
  return 1
}

programs=()
say "building the client programs in $build"
build_go && programs+=(go-redis)
build_python && programs+=(redis-py)
build_node && programs+=(ioredis)
build_rust && programs+=(redis-rs)
build_java && programs+=(Jedis)
# What could not be built is told by the run.
[ -n "$server" ] || exit 0

if [ "${#programs[@]}" -gt 0 ]; then
  start_cluster
  addresses=$(printf '127.0.0.1:%s,' "${sentinels[@]}")
  addresses=${addresses%,}
  for program in "${programs[@]}"; do
    case "$program" in
      go-redis) failover go-redis "$build/go/failover" -sentinels "$addresses" -db 0,3 ;;
      redis-py) failover redis-py "$build/python/bin/python" "$here/python/failover.py" "$addresses" 0,3
        caching redis-py "$build/python/bin/python" "$here/python/caching.py" ;;
      ioredis) failover ioredis node "$build/node/failover.js" "$addresses" 0,3
        caching ioredis node "$build/node/caching.js" ;;
      redis-rs) failover redis-rs "$build/rust/debug/failover" "$addresses" 0,3 ;;
      Jedis) failover Jedis java -cp "$build/java/target/classes:$build/java/target/dependency/*" Failover "$addresses" 0,3 ;;
    esac
  done
fi

for reason in ${skipped[@]+"${skipped[@]}"}; do
  echo "SKIPPED: $reason"
  if [ -n "${CI:-}" ]; then
    echo "In CI nothing may be skipped."
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
