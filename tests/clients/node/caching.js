// Client-side caching with ioredis, which speaks RESP2: messages are redirected to a second connection that subscribes to them.
//
//   node caching.js 127.0.0.1:6379
//
// One client reads through a cache while another changes the keys. It ends well when every change was seen within a bound, most
// reads never came to the server, and a flush was noticed too.

import Redis from "ioredis";
import { setTimeout as sleep } from "node:timers/promises";

const KEYS = 20;
const CHANGES = 300;
const READS = 10; // of each key, for each change of one
const PATIENCE = 20_000; // milliseconds, for one change to be seen

const [host, port] = process.argv[2].split(":");
const connect = () => new Redis({ host, port: Number(port), commandTimeout: 5000 });
const [invalidations, reader, writer] = [connect(), connect(), connect()];

const cache = new Map();
let asked = 0;

async function read(key) {
  if (cache.has(key)) return (await cache.get(key)).value;
  asked++;
  // What is under way counts as kept: a message about it removes it before it is there.
  const entry = reader.get(key).then((value) => ({ value }));
  cache.set(key, entry);
  return (await entry).value;
}

async function sees(key, value) {
  const limit = Date.now() + PATIENCE;
  while ((await read(key)) !== value) {
    if (Date.now() > limit) return false;
    await sleep(1);
  }
  return true;
}

async function main() {
  // Not "message", which makes one text of the keys.
  invalidations.on("messageBuffer", (channel, keys) => {
    if (String(channel) !== "__redis__:invalidate") return;
    if (keys === null) cache.clear();
    else for (const key of [].concat(keys)) cache.delete(String(key));
  });
  const id = await invalidations.client("ID");
  await invalidations.subscribe("__redis__:invalidate");
  await reader.client("TRACKING", "ON", "REDIRECT", id);
  const keys = Array.from({ length: KEYS }, (_, n) => `node:caching:${n}`);
  for (const key of keys) await writer.set(key, "0");
  let reads = 0;
  for (let n = 1; n <= CHANGES; n++) {
    const key = keys[n % KEYS];
    for (let round = 0; round < READS; round++) {
      for (const other of keys) {
        await read(other);
        reads++;
      }
    }
    if (n % 3 === 0) await writer.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, key, n);
    else if (n % 3 === 1) await writer.multi().set(key, "between").set(key, n).exec();
    else await writer.set(key, n);
    if (!(await sees(key, String(n)))) throw new Error(`change ${n} of ${key} was not seen`);
  }
  if (asked >= reads / 10) throw new Error(`${asked} of ${reads} reads came to the server`);
  const summary = `${reads} reads, ${asked} of them at the server, ${CHANGES} changes seen`;
  await writer.set(keys[0], "short", "PX", 50);
  if (!(await sees(keys[0], null))) throw new Error("an expired key was still in the cache");
  await writer.flushdb();
  for (const key of keys) if (!(await sees(key, null))) throw new Error("a flush was not noticed");
  console.log(summary);
  console.log("ok");
}

main()
  .catch((error) => {
    console.log("FAILED:", error.message);
    process.exitCode = 1;
  })
  .finally(() => [invalidations, reader, writer].forEach((client) => client.disconnect()));
