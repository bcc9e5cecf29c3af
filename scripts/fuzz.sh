#!/usr/bin/env bash
# Runs each fuzz target for so many seconds.
#
#   scripts/fuzz.sh SECONDS [target…]
#
# Stops at the first crash; the input that caused it is in fuzz/artifacts. What was learnt is kept in fuzz/corpus.
set -eu

seconds=${1:?usage: fuzz.sh SECONDS [target…]}
shift
cd "$(dirname "$0")/.."

if ! rustup run nightly cargo --version >/dev/null 2>&1; then
  echo "make fuzz: needs a nightly compiler: rustup toolchain install nightly" >&2
  exit 1
fi
if ! rustup run nightly cargo fuzz --version >/dev/null 2>&1; then
  echo "make fuzz: needs cargo-fuzz: cargo install cargo-fuzz" >&2
  exit 1
fi

if [ "$#" = 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi
for target in "$@"; do
  printf '== %s, %s seconds\n' "$target" "$seconds"
  # A single input may take neither more than 10 seconds nor more than 1 GiB: what is slow or greedy is a finding, too.
  # The search for leaks is off: it takes the threads that live as long as the process for leaks.
  rustup run nightly cargo fuzz run "$target" -- "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 \
    -detect_leaks=0 -print_final_stats=1
done
printf '== clean: %s\n' "$*"
