// Writes through a failover with ioredis, in several databases at once.
//
//   node failover.js 127.0.0.1:26379,127.0.0.1:26380 0,3
//
// It prints "ready" when writing works; then somebody kills the master. It ends well when, in each database, writing has gone
// on at another master and every write acknowledged since the switch is there, at the replicas too. Every wait has a bound.

import Redis from "ioredis";
import { setTimeout as sleep } from "node:timers/promises";

const BEFORE = 200; // writes acknowledged before "ready"
const AFTER = 200; // writes acknowledged since the switch, to end well
const PATIENCE = 60_000; // milliseconds, for each phase
const name = "mymaster";

const sentinels = process.argv[2].split(",").map((address) => {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
});
const databases = process.argv[3].split(",").map(Number);

function connect(role, db) {
  const client = new Redis({
    sentinels,
    name,
    role,
    db,
    connectTimeout: 1000,
    commandTimeout: 1000,
    maxRetriesPerRequest: 1,
    sentinelRetryStrategy: () => 50,
    retryStrategy: () => 50,
  });
  client.on("error", () => {}); // they come back from the commands
  return client;
}

async function masterAddress() {
  for (const sentinel of sentinels) {
    const client = new Redis({ ...sentinel, connectTimeout: 1000, commandTimeout: 1000, lazyConnect: true, retryStrategy: null });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)).join(":");
    } catch {
      // the next one
    } finally {
      client.disconnect();
    }
  }
  throw new Error("no Sentinel answers");
}

async function write(db, state, key) {
  const client = connect("master", db);
  const since = []; // acknowledged, and sent after the switch was known
  let [acknowledged, failed, longest, last] = [0, 0, 0, Date.now()];
  let limit = last + PATIENCE;
  for (let n = 0; since.length < AFTER; n++) {
    if (Date.now() > limit) {
      throw new Error(`${acknowledged} writes acknowledged, ${failed} failed, ${since.length} since the switch, and then time was over`);
    }
    const sentAfterSwitch = state.switched;
    try {
      await client.set(key(n), n);
    } catch {
      failed++;
      await sleep(10);
      continue;
    }
    acknowledged++;
    longest = Math.max(longest, Date.now() - last);
    last = Date.now();
    if (sentAfterSwitch) since.push(n);
    if (acknowledged === BEFORE) {
      state.ready++;
      limit = Date.now() + PATIENCE;
    }
    await sleep(2);
  }
  for (const n of since) {
    const value = await client.get(key(n));
    if (value !== String(n)) throw new Error(`write ${n} was acknowledged since the switch, and now it is ${value}`);
  }
  const info = await client.call("CLIENT", "INFO");
  if (!info.includes(` db=${db} `)) throw new Error(`the connection is not in the database: ${info}`);
  client.disconnect();
  console.log(`db ${db}: ${acknowledged} writes acknowledged, ${since.length} of them since the switch and all there, ${failed} failed, longest gap ${longest} ms`);
  return since;
}

async function readFromReplicas(db, since, key) {
  const client = connect("slave", db);
  const limit = Date.now() + PATIENCE;
  // Right after a failover the replicas are just finding their new master.
  for (let role; role !== "slave"; ) {
    [role] = await client.role().catch((error) => [error.message]);
    if (role === "slave") break;
    if (Date.now() > limit) throw new Error(`reads do not go to a replica: ${role}`);
    await sleep(10);
  }
  for (const n of since) {
    while ((await client.get(key(n)).catch(() => null)) !== String(n)) {
      if (Date.now() > limit) throw new Error(`write ${n} does not come to a replica`);
      await sleep(10);
    }
  }
  client.disconnect();
}

async function run(db, state) {
  const key = (n) => `node:${db}:${n}`;
  try {
    await readFromReplicas(db, await write(db, state, key), key);
  } catch (error) {
    console.log(`FAILED: db ${db}: ${error.message}`);
    process.exitCode = 1;
  }
  state.done++;
}

const state = { switched: false, ready: 0, done: 0 };
const old = await masterAddress();
databases.forEach((db) => run(db, state));
let announced = false;
for (const end = Date.now() + 3 * PATIENCE; state.done < databases.length && Date.now() < end; await sleep(20)) {
  if (!announced && state.ready === databases.length) {
    announced = true;
    console.log("ready");
  }
  const now = state.switched ? old : await masterAddress().catch(() => old);
  if (now !== old) {
    console.log(`the master was ${old} and is ${now}`);
    state.switched = true;
  }
}
if (state.done === databases.length && !process.exitCode) console.log("ok");
process.exit(state.done === databases.length ? process.exitCode : 1);
