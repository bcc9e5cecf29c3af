# make run     a master, two replicas and three Sentinels on this machine, until Ctrl-C
# make test    every test; says loudly what it had to skip
# make diff    a million random commands beside the redis-server found on this machine

PREFIX ?= /usr/local
PORT ?= 6379
SENTINEL_PORT ?= 26379
SEEDS ?= 100000
TEST_SEEDS ?= 10000
FUZZ_SECONDS ?= 600
CRASH_RUNS ?= 10000
STRESS_RUNS ?= 20000
DIFF_COMMANDS ?= 1000000

SERVER = target/release/rredis-server

.PHONY: all build run test test-programs test-units test-e2e test-models test-clients client-programs lint diff crash stress sim bench fuzz install clean

all: build

build:
	cargo build --release

run: build
	@PORT=$(PORT) SENTINEL_PORT=$(SENTINEL_PORT) scripts/run-cluster.sh $(SERVER)

# Format, lints, unit tests, transcripts, simulation, end-to-end scenarios with real processes, real clients. The release is
# built beside the rest, as most of that is work for one core; end-to-end tests and clients mostly wait, which leaves room for
# the others.
test:
	$(MAKE) -j3 build test-programs client-programs
	$(MAKE) -j2 test-e2e test-units test-models test-clients

test-units:
	cargo test --no-fail-fast --lib --bins --test architecture --test docs --test compat
	cargo test --doc

test-e2e:
	cargo test --no-fail-fast --test e2e

test-models:
	$(MAKE) sim SEEDS=$(TEST_SEEDS)
	$(MAKE) stress

test-programs: lint
	cargo test --no-run
	cd tests/sim && cargo test --no-run
	cd stress && cargo test --release --no-run

lint:
	cargo fmt --check
	cd tests/sim && cargo fmt --check
	cd stress && cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cd tests/sim && cargo clippy --test sim -- -D warnings
	cd stress && cargo clippy --all-targets -- -D warnings

# Mostly waits for the network.
client-programs:
	tests/clients/run.sh --build

# Small programs with real client libraries write through a failover.
test-clients: build
	tests/clients/run.sh $(SERVER)

# All data commands at random, beside a redis-server, on masters and replicas: make diff DIFF_COMMANDS=10000000 SEED=7
diff:
	DIFF_COMMANDS=$(DIFF_COMMANDS) CI=true cargo test --release --test compat all_types -- --nocapture

# The append only file on a disk that fails, at so many points: make crash CRASH_RUNS=100000
crash:
	CRASH_RUNS=$(CRASH_RUNS) cargo test --release --lib no_fault_of_the_disk -- --nocapture

# What I/O threads hand to each other, in many orders of events: make stress STRESS_RUNS=1000000
stress:
	cd stress && STRESS_RUNS=$(STRESS_RUNS) cargo test --release

# The simulated clusters, with as many seeds as you like: make sim SEEDS=1000000
sim:
	cd tests/sim && SEEDS=$(SEEDS) cargo test -- --nocapture

# Side by side with the redis-server found on this machine; writes a table.
bench: build
	scripts/bench.sh $(SERVER)

# Each target for FUZZ_SECONDS. Needs a nightly toolchain and cargo-fuzz.
fuzz:
	scripts/fuzz.sh $(FUZZ_SECONDS)

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/etc/rredis $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(SERVER) $(DESTDIR)$(PREFIX)/bin/rredis-server
	for name in sentinel check-aof check-rdb; do ln -sf rredis-server $(DESTDIR)$(PREFIX)/bin/rredis-$$name; done
	install -m 644 redis.conf sentinel.conf $(DESTDIR)$(PREFIX)/etc/rredis/
	install -m 644 docs/man/rredis-server.1 docs/man/rredis-sentinel.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean:
	cargo clean
	rm -rf run
