"""Writes through a failover with redis-py, in several databases at once.

    failover.py 127.0.0.1:26379,127.0.0.1:26380 0,3

It prints "ready" when writing works; then somebody kills the master. It ends well when, in each database, writing has gone
on at another master and every write acknowledged since the switch is there, at the replicas too. Every wait has a bound.
"""

import sys
import threading
import time

from redis.exceptions import RedisError
from redis.sentinel import Sentinel

BEFORE = 200  # writes acknowledged before "ready"
AFTER = 200  # writes acknowledged since the switch, to end well
PATIENCE = 60  # seconds, for each phase
MASTER = "mymaster"


class Writer(threading.Thread):
    """One database's writer."""

    def __init__(self, sentinel, db, switched):
        super().__init__(daemon=True)
        self.client = sentinel.master_for(MASTER, db=db, socket_timeout=1)
        self.sentinel = sentinel
        self.db = db
        self.switched = switched
        self.ready = threading.Event()
        self.failure = "did not come to its end"

    def run(self):
        try:
            self.failure = self.write() or self.verify()
        except Exception as error:  # whatever it is, it belongs into the verdict
            self.failure = repr(error)
        self.ready.set()

    def key(self, n):
        return f"python:{self.db}:{n}"

    def write(self):
        self.since = []  # acknowledged, and sent after the switch was known
        self.acknowledged = self.failed = 0
        self.longest = 0
        last = time.monotonic()
        limit = last + PATIENCE
        n = 0
        while len(self.since) < AFTER:
            if time.monotonic() > limit:
                return (
                    f"{self.acknowledged} writes acknowledged, {self.failed} failed, "
                    f"{len(self.since)} since the switch, and then time was over"
                )
            n += 1
            sent_after_switch = self.switched.is_set()
            try:
                self.client.set(self.key(n), n)
            except RedisError:
                self.failed += 1
                time.sleep(0.01)
                continue
            now = time.monotonic()
            self.acknowledged += 1
            self.longest = max(self.longest, now - last)
            last = now
            if sent_after_switch:
                self.since.append(n)
            if self.acknowledged == BEFORE:
                self.ready.set()
                limit = now + PATIENCE
            time.sleep(0.002)
        return None

    def verify(self):
        for n in self.since:
            value = self.client.get(self.key(n))
            if value != str(n).encode():
                return f"write {n} was acknowledged since the switch, and now it is {value!r}"
        # And at the replicas, as soon as they have it.
        limit = time.monotonic() + PATIENCE
        replica = None
        for n in self.since:
            value = None
            while value != str(n).encode():
                if time.monotonic() > limit:
                    return f"write {n} does not come to a replica" if replica else "no replica is found"
                try:
                    replica = replica or self.connect_to_replica()
                    value = replica.get(self.key(n)) if replica else None
                except RedisError:
                    replica = None
                if value != str(n).encode():
                    time.sleep(0.01)
        db = self.client.client_info()["db"]
        if int(db) != self.db:
            return f"the connection is in database {db}"
        print(
            f"db {self.db}: {self.acknowledged} writes acknowledged, {len(self.since)} of them since the switch and all "
            f"there, {self.failed} failed, longest gap {self.longest * 1000:.0f} ms",
            flush=True,
        )
        return None

    def connect_to_replica(self):
        """Or nobody: while it knows of no replica in service, the library connects to the master."""
        replica = self.sentinel.slave_for(MASTER, db=self.db, socket_timeout=1)
        if replica.role()[0] == b"slave":
            return replica
        replica.close()
        return None


def main():
    sentinels = [(host, int(port)) for host, port in (pair.rsplit(":", 1) for pair in sys.argv[1].split(","))]
    databases = [int(word) for word in sys.argv[2].split(",")]
    sentinel = Sentinel(sentinels, socket_timeout=1)
    old = sentinel.discover_master(MASTER)

    switched = threading.Event()
    writers = [Writer(sentinel, db, switched) for db in databases]
    for writer in writers:
        writer.start()

    # Its own object: discovery reorders the list of Sentinels, which the writers use, too.
    watcher = Sentinel(sentinels, socket_timeout=1)
    announced = False
    limit = time.monotonic() + 3 * PATIENCE
    while any(writer.is_alive() for writer in writers) and time.monotonic() < limit:
        if not announced and all(writer.ready.is_set() for writer in writers):
            announced = True
            print("ready", flush=True)
        if not switched.is_set():
            try:
                now = watcher.discover_master(MASTER)
                if now != old:
                    print(f"the master was {old[0]}:{old[1]} and is {now[0]}:{now[1]}", flush=True)
                    switched.set()
            except RedisError:
                pass
        time.sleep(0.02)

    failures = [f"db {writer.db}: {writer.failure}" for writer in writers if writer.failure]
    for failure in failures:
        print("FAILED:", failure, flush=True)
    if failures:
        return 1
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
