import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPoolConfig;
import redis.clients.jedis.JedisSentinelPool;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Writes through a failover with Jedis, in several databases at once.
 *
 * <pre>java Failover 127.0.0.1:26379,127.0.0.1:26380 0,3</pre>
 *
 * It prints "ready" when writing works; then somebody kills the master. It ends well when, in each database, writing has gone
 * on at another master and every write acknowledged since the switch is there, at the replicas too. Every wait has a bound.
 */
public final class Failover {
  private static final int BEFORE = 200; // writes acknowledged before "ready"
  private static final int AFTER = 200; // writes acknowledged since the switch, to end well
  private static final long PATIENCE = 60_000; // milliseconds, for each phase
  private static final int TIMEOUT = 1000;
  private static final String MASTER = "mymaster";

  private static List<HostAndPort> sentinels;
  private static final AtomicBoolean switched = new AtomicBoolean();
  private static final AtomicInteger ready = new AtomicInteger();
  private static final AtomicInteger failures = new AtomicInteger();

  private static HostAndPort masterAddress() {
    for (HostAndPort sentinel : sentinels) {
      try (Jedis jedis = new Jedis(sentinel.getHost(), sentinel.getPort(), TIMEOUT)) {
        List<String> found = jedis.sentinelGetMasterAddrByName(MASTER);
        return new HostAndPort(found.get(0), Integer.parseInt(found.get(1)));
      } catch (JedisException error) {
        // the next one
      }
    }
    throw new IllegalStateException("no Sentinel answers");
  }

  private static List<Integer> write(int db) throws Exception {
    Set<String> addresses = sentinels.stream().map(HostAndPort::toString).collect(Collectors.toSet());
    List<Integer> since = new ArrayList<>(); // acknowledged, and sent after the switch was known
    int acknowledged = 0;
    int failed = 0;
    long longest = 0;
    long last = System.currentTimeMillis();
    long limit = last + PATIENCE;
    try (JedisSentinelPool pool =
        new JedisSentinelPool(MASTER, addresses, new JedisPoolConfig(), TIMEOUT, null, db)) {
      for (int n = 0; since.size() < AFTER; n++) {
        if (System.currentTimeMillis() > limit) {
          throw new Exception(acknowledged + " writes acknowledged, " + failed + " failed, " + since.size()
              + " since the switch, and then time was over");
        }
        boolean sentAfterSwitch = switched.get();
        try (Jedis jedis = pool.getResource()) {
          jedis.set(key(db, n), Integer.toString(n));
        } catch (JedisException error) {
          failed++;
          Thread.sleep(10);
          continue;
        }
        acknowledged++;
        long now = System.currentTimeMillis();
        longest = Math.max(longest, now - last);
        last = now;
        if (sentAfterSwitch) {
          since.add(n);
        }
        if (acknowledged == BEFORE) {
          ready.incrementAndGet();
          limit = now + PATIENCE;
        }
        Thread.sleep(2);
      }
      try (Jedis jedis = pool.getResource()) {
        for (int n : since) {
          String value = jedis.get(key(db, n));
          if (!Integer.toString(n).equals(value)) {
            throw new Exception("write " + n + " was acknowledged since the switch, and now it is " + value);
          }
        }
        if (!jedis.clientInfo().contains(" db=" + db + " ")) {
          throw new Exception("the connection is not in the database: " + jedis.clientInfo());
        }
      }
    }
    System.out.println("db " + db + ": " + acknowledged + " writes acknowledged, " + since.size()
        + " of them since the switch and all there, " + failed + " failed, longest gap " + longest + " ms");
    return since;
  }

  /**
   * Jedis has no pool of replicas behind Sentinels; it knows how to ask for them. Right after a failover the others are just
   * finding their new master, so it is asked until one is in service.
   */
  private static HostAndPort replicaAddress() throws Exception {
    long limit = System.currentTimeMillis() + PATIENCE;
    while (System.currentTimeMillis() < limit) {
      for (HostAndPort sentinel : sentinels) {
        try (Jedis jedis = new Jedis(sentinel.getHost(), sentinel.getPort(), TIMEOUT)) {
          for (Map<String, String> known : jedis.sentinelReplicas(MASTER)) {
            if (known.get("flags").equals("slave") && known.get("master-link-status").equals("ok")) {
              return new HostAndPort(known.get("ip"), Integer.parseInt(known.get("port")));
            }
          }
        } catch (JedisException error) {
          // the next one
        }
      }
      Thread.sleep(10);
    }
    throw new Exception("the Sentinels know no replica in service");
  }

  private static void readFromReplicas(int db, List<Integer> since) throws Exception {
    long limit = System.currentTimeMillis() + PATIENCE;
    int found = 0;
    while (found < since.size()) {
      HostAndPort replica = replicaAddress();
      try (Jedis jedis = new Jedis(replica.getHost(), replica.getPort(), TIMEOUT)) {
        jedis.select(db);
        if (!jedis.role().get(0).equals("slave")) {
          throw new Exception("reads do not go to a replica");
        }
        while (found < since.size()) {
          int n = since.get(found);
          if (Integer.toString(n).equals(jedis.get(key(db, n)))) {
            found++;
            continue;
          }
          if (System.currentTimeMillis() > limit) {
            throw new Exception("write " + n + " does not come to a replica");
          }
          Thread.sleep(10);
        }
      } catch (JedisException error) {
        if (System.currentTimeMillis() > limit) {
          throw error;
        }
        Thread.sleep(10);
      }
    }
  }

  private static String key(int db, int n) {
    return "java:" + db + ":" + n;
  }

  private static void run(int db) {
    try {
      readFromReplicas(db, write(db));
    } catch (Exception error) {
      failures.incrementAndGet();
      System.out.println("FAILED: db " + db + ": " + error);
    }
  }

  public static void main(String[] args) throws Exception {
    sentinels = Arrays.stream(args[0].split(",")).map(HostAndPort::from).collect(Collectors.toList());
    int[] databases = Arrays.stream(args[1].split(",")).mapToInt(Integer::parseInt).toArray();
    HostAndPort old = masterAddress();
    List<Thread> threads = new ArrayList<>();
    for (int db : databases) {
      Thread thread = new Thread(() -> run(db));
      thread.setDaemon(true);
      thread.start();
      threads.add(thread);
    }
    boolean announced = false;
    long limit = System.currentTimeMillis() + 3 * PATIENCE;
    while (threads.stream().anyMatch(Thread::isAlive) && System.currentTimeMillis() < limit) {
      if (!announced && ready.get() == databases.length) {
        announced = true;
        System.out.println("ready");
      }
      if (!switched.get()) {
        HostAndPort now = masterAddress();
        if (!now.equals(old)) {
          System.out.println("the master was " + old + " and is " + now);
          switched.set(true);
        }
      }
      Thread.sleep(20);
    }
    if (failures.get() > 0 || threads.stream().anyMatch(Thread::isAlive)) {
      System.exit(1);
    }
    System.out.println("ok");
    System.exit(0);
  }
}
