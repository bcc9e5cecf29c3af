// Writes through a failover with go-redis, in several databases at once.
//
//	failover -sentinels 127.0.0.1:26379,127.0.0.1:26380 -db 0,3
//
// It prints "ready" when writing works; then somebody kills the master. It ends well when, in each database, writing has
// gone on at another master and every write acknowledged since the switch is there, at the replicas too. Every wait has a bound.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	before   = 200              // writes acknowledged before "ready"
	after    = 200              // writes acknowledged since the switch, to end well
	patience = 60 * time.Second // for each phase
)

var (
	sentinels  = flag.String("sentinels", "", "addresses of the Sentinels, separated by commas")
	masterName = flag.String("master", "mymaster", "the name under which they know the master")
	databases  = flag.String("db", "0,3", "databases to write to")
)

// masterAddress asks the Sentinels one after the other.
func masterAddress(ctx context.Context) (string, error) {
	var last error
	for _, address := range strings.Split(*sentinels, ",") {
		client := redis.NewSentinelClient(&redis.Options{Addr: address, DialTimeout: time.Second, ReadTimeout: time.Second})
		found, err := client.GetMasterAddrByName(ctx, *masterName).Result()
		client.Close()
		if err == nil {
			return strings.Join(found, ":"), nil
		}
		last = err
	}
	return "", last
}

// run is one database's writer.
func run(ctx context.Context, db int, switched *atomic.Bool, ready *sync.WaitGroup) error {
	readyOnce := sync.OnceFunc(ready.Done)
	defer readyOnce()
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:    *masterName,
		SentinelAddrs: strings.Split(*sentinels, ","),
		DB:            db,
		DialTimeout:   time.Second,
		ReadTimeout:   time.Second,
		WriteTimeout:  time.Second,
	})
	defer client.Close()

	key := func(n int) string { return fmt.Sprintf("go:%d:%d", db, n) }
	var since []int // acknowledged, and sent after the switch was known
	acknowledged, failed := 0, 0
	lastOne, longest := time.Now(), time.Duration(0)
	limit := time.Now().Add(patience)
	for n := 0; len(since) < after; n++ {
		if time.Now().After(limit) {
			return fmt.Errorf("db %d: %d writes acknowledged, %d failed, %d since the switch, and then time was over", db, acknowledged, failed, len(since))
		}
		sentAfterSwitch := switched.Load()
		call, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := client.Set(call, key(n), strconv.Itoa(n), 0).Err()
		cancel()
		if err != nil {
			failed++
			time.Sleep(10 * time.Millisecond)
			continue
		}
		acknowledged++
		longest = max(longest, time.Since(lastOne))
		lastOne = time.Now()
		if sentAfterSwitch {
			since = append(since, n)
		}
		if acknowledged == before {
			readyOnce()
			limit = time.Now().Add(patience)
		}
		time.Sleep(2 * time.Millisecond)
	}

	for _, n := range since {
		value, err := client.Get(ctx, key(n)).Result()
		if err != nil || value != strconv.Itoa(n) {
			return fmt.Errorf("db %d: write %d was acknowledged since the switch, and now it is %q (%v)", db, n, value, err)
		}
	}
	if err := readFromReplicas(ctx, db, since, key); err != nil {
		return err
	}
	info, err := client.Do(ctx, "CLIENT", "INFO").Text()
	if err != nil || !strings.Contains(info, fmt.Sprintf(" db=%d ", db)) {
		return fmt.Errorf("db %d: the connection is not in it: %s (%v)", db, info, err)
	}
	fmt.Printf("db %d: %d writes acknowledged, %d of them since the switch and all there, %d failed, longest gap %d ms\n",
		db, acknowledged, len(since), failed, longest.Milliseconds())
	return nil
}

// connectToReplica may connect to the master: the library does so while it knows of no replica in service.
func connectToReplica(ctx context.Context, db int) (*redis.Client, error) {
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:    *masterName,
		SentinelAddrs: strings.Split(*sentinels, ","),
		DB:            db,
		ReplicaOnly:   true,
		DialTimeout:   time.Second,
		ReadTimeout:   time.Second,
	})
	role, err := client.Do(ctx, "ROLE").Slice()
	if err == nil && len(role) > 0 && role[0] == "slave" {
		return client, nil
	}
	client.Close()
	return nil, fmt.Errorf("db %d: reads do not go to a replica: %v (%v)", db, role, err)
}

// readFromReplicas finds all of that at the replicas as well, as soon as they have it.
func readFromReplicas(ctx context.Context, db int, since []int, key func(int) string) error {
	limit := time.Now().Add(patience)
	replicas, err := connectToReplica(ctx, db)
	for err != nil {
		if time.Now().After(limit) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
		replicas, err = connectToReplica(ctx, db)
	}
	defer replicas.Close()
	for _, n := range since {
		for {
			value, err := replicas.Get(ctx, key(n)).Result()
			if err == nil && value == strconv.Itoa(n) {
				break
			}
			if time.Now().After(limit) {
				return fmt.Errorf("db %d: write %d is %q at a replica (%v)", db, n, value, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

func work() error {
	ctx := context.Background()
	old, err := masterAddress(ctx)
	if err != nil {
		return err
	}
	var dbs []int
	for _, word := range strings.Split(*databases, ",") {
		db, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		dbs = append(dbs, db)
	}

	var switched atomic.Bool
	var ready, done sync.WaitGroup
	results := make([]error, len(dbs))
	ready.Add(len(dbs))
	done.Add(len(dbs))
	for i, db := range dbs {
		go func(i, db int) {
			defer done.Done()
			results[i] = run(ctx, db, &switched, &ready)
		}(i, db)
	}
	go func() {
		for !switched.Load() {
			now, err := masterAddress(ctx)
			if err == nil && now != old {
				fmt.Printf("the master was %s and is %s\n", old, now)
				switched.Store(true)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	ready.Wait()
	fmt.Println("ready")
	done.Wait()
	return errors.Join(results...)
}

func main() {
	flag.Parse()
	if err := work(); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
	fmt.Println("ok")
}
