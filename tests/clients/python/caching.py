"""Client-side caching with redis-py, which keeps answers and drops them when the server says so (CLIENT TRACKING, RESP3).

    caching.py 127.0.0.1:6379

One client reads through its cache while another changes the keys. It ends well when every change was seen within a bound, most
reads never came to the server, and a flush was noticed too.
"""

import sys
import time

import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

# The library wants 7.4, whose pushes are those of 7.2.
CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"

KEYS = 20
CHANGES = 300
READS = 10  # of each key, for each change of one
PATIENCE = 20  # seconds, for one change to be seen


def calls(client):
    stats = client.info("commandstats").get("cmdstat_get")
    return stats["calls"] if stats else 0


def sees(reader, key, value):
    limit = time.monotonic() + PATIENCE
    while reader.get(key) != value:
        if time.monotonic() > limit:
            return False
        time.sleep(0.001)
    return True


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    reader = redis.Redis(host=host, port=int(port), protocol=3, cache_config=CacheConfig())
    writer = redis.Redis(host=host, port=int(port))
    keys = [f"python:caching:{n}" for n in range(KEYS)]
    for key in keys:
        writer.set(key, "0")
    before, reads = calls(writer), 0
    for n in range(1, CHANGES + 1):
        key = keys[n % KEYS]
        for _ in range(READS):
            for other in keys:
                reader.get(other)
                reads += 1
        if n % 3 == 0:
            script = "return redis.call('SET', KEYS[1], ARGV[1])"
            writer.eval(script, 1, key, n)
        elif n % 3 == 1:
            with writer.pipeline(transaction=True) as transaction:
                transaction.set(key, "between").set(key, n).execute()
        else:
            writer.set(key, n)
        if not sees(reader, key, str(n).encode()):
            print(f"FAILED: change {n} of {key} was not seen", flush=True)
            return 1
    asked = calls(writer) - before
    if asked >= reads / 10:
        print(f"FAILED: {asked} of {reads} reads came to the server", flush=True)
        return 1
    writer.set(keys[0], "short", px=50)
    if not sees(reader, keys[0], None):
        print("FAILED: an expired key was still in the cache", flush=True)
        return 1
    writer.delete(*keys[:3])
    writer.flushdb()
    if not all(sees(reader, key, None) for key in keys):
        print("FAILED: a flush was not noticed", flush=True)
        return 1
    print(f"{reads} reads, {asked} of them at the server, {CHANGES} changes seen", flush=True)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
