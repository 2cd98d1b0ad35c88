// Members of one group that join, leave and crash, all in this process, so that what each of them is told can be compared.
//
//	churn ADDRESS TOPIC PARTITIONS GROUP classic|consumer
//
// Reads requests, one JSON object a line, and answers each with one: {"op": "join", "count": 10}, leave and crash with a count, too,
// "settle" (waits until each partition has one living owner; how many ms after the last change was asked for), "finish" (what was produced
// is read to its end; what was found wrong).
//
// Checked all the time:
//   - in a generation a partition has one owner, and nobody is given a partition that another still has, unless that one then hears that
//     it has lost it;
//   - committed offsets never go back;
//   - nobody reads on behind a record that nobody has read.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	sessionTimeout = 6 * time.Second
	heartbeat      = 500 * time.Millisecond
	// Partitions have kept their owners for so long: the group is stable.
	quiet    = 1500 * time.Millisecond
	settleIn = 120 * time.Second
	listed   = 20
)

type member struct {
	number  int
	client  *kgo.Client
	cancel  context.CancelFunc
	crashed atomic.Bool
	done    chan struct{}
	lock    sync.Mutex
	conns   map[net.Conn]bool
}

type claim struct {
	generation, partition int32
}

// world is what all members together have been told.
type world struct {
	sync.Mutex
	topic      string
	partitions int32
	classic    bool
	owner      []*member
	living     map[*member]bool
	claims     map[claim]*member
	// Who had a partition when another got it, and has not lost it yet.
	overlaps map[int32]*member
	next     []int64
	produced []int64
	// The newest commit that was seen.
	committed []int64
	changed   time.Time
	asked     time.Time
	twice     int
	read      int
	wrong     []string
	wrongs    int
}

func (w *world) violation(format string, arguments ...any) {
	w.wrongs++
	if len(w.wrong) < listed {
		w.wrong = append(w.wrong, fmt.Sprintf(format, arguments...))
	}
}

func (w *world) assigned(m *member, generation int32, partitions []int32) {
	w.Lock()
	defer w.Unlock()
	if m.crashed.Load() {
		return
	}
	for _, p := range partitions {
		if other := w.owner[p]; other != nil && other != m {
			if w.overlaps[p] != nil {
				w.violation("partition %d has three owners", p)
			}
			w.overlaps[p] = other
		}
		w.owner[p] = m
		w.changed = time.Now()
	}
	// An epoch of the consumer protocol is each member's own.
	if !w.classic {
		return
	}
	for p, owner := range w.owner {
		if owner != m {
			continue
		}
		key := claim{generation, int32(p)}
		if other := w.claims[key]; other != nil && other != m {
			w.violation("partition %d is of members %d and %d in generation %d", p, other.number, m.number, generation)
		}
		w.claims[key] = m
	}
}

func (w *world) gone(m *member, partitions []int32, lost bool) {
	w.Lock()
	defer w.Unlock()
	for _, p := range partitions {
		if w.overlaps[p] == m {
			delete(w.overlaps, p)
			if !lost {
				w.violation("member %d gives back partition %d, which another has already", m.number, p)
			}
		} else if w.owner[p] == m {
			w.owner[p] = nil
			w.changed = time.Now()
		}
	}
}

// died takes all from one who is told nothing more, and is not waited for.
func (w *world) died(m *member) {
	w.Lock()
	defer w.Unlock()
	for p := range w.owner {
		if w.owner[p] == m {
			w.owner[p] = nil
		}
	}
	for p, other := range w.overlaps {
		if other == m {
			delete(w.overlaps, p)
		}
	}
	delete(w.living, m)
	w.changed = time.Now()
}

func (w *world) take(m *member, record *kgo.Record) {
	w.Lock()
	defer w.Unlock()
	if m.crashed.Load() {
		return
	}
	w.read++
	switch next := w.next[record.Partition]; {
	case record.Offset > next:
		w.violation("partition %d: record %d is read, and nobody has read %d", record.Partition, record.Offset, next)
	case record.Offset < next:
		w.twice++
		return
	}
	w.next[record.Partition] = record.Offset + 1
}

// settled says when the last change was, if there is none to come: each partition has an owner, and each member that lives has a partition.
func (w *world) settled() (time.Time, bool) {
	w.Lock()
	defer w.Unlock()
	owners := map[*member]bool{}
	for _, owner := range w.owner {
		if owner == nil {
			return w.changed, false
		}
		owners[owner] = true
	}
	complete := len(owners) == min(len(w.living), len(w.owner))
	return w.changed, complete && time.Since(w.changed) > quiet
}

func (w *world) join(address, group string, number int) (*member, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{number: number, cancel: cancel, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	mine := func(all map[string][]int32) []int32 { return all[w.topic] }
	options := []kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(w.topic), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.HeartbeatInterval(heartbeat), kgo.SessionTimeout(sessionTimeout), kgo.RebalanceTimeout(30 * time.Second),
		kgo.BlockRebalanceOnPoll(), kgo.DisableAutoCommit(), kgo.MetadataMinAge(100 * time.Millisecond), kgo.Dialer(m.dial),
		kgo.FetchMaxWait(500 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, all map[string][]int32) {
			_, generation := c.GroupMetadata()
			w.assigned(m, generation, mine(all))
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, all map[string][]int32) {
			// What was read is committed while the partitions are still its own.
			_ = c.CommitUncommittedOffsets(ctx)
			w.gone(m, mine(all), false)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, all map[string][]int32) { w.gone(m, mine(all), true) }),
	}
	if !w.classic {
		// With any other balancer the client would speak the classic protocol all the same.
		options = append(options, kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		cancel()
		return nil, err
	}
	m.client = client
	w.Lock()
	w.living[m] = true
	w.Unlock()
	go m.run(ctx, w)
	return m, nil
}

func (m *member) run(ctx context.Context, w *world) {
	defer close(m.done)
	last := time.Now()
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		fetched := m.client.PollFetches(wait)
		cancel()
		fetched.EachRecord(func(record *kgo.Record) { w.take(m, record) })
		if time.Since(last) > time.Second && !m.crashed.Load() {
			last = time.Now()
			commit, cancel := context.WithTimeout(ctx, 2*time.Second)
			_ = m.client.CommitUncommittedOffsets(commit)
			cancel()
		}
		m.client.AllowRebalance()
	}
}

func (m *member) dial(ctx context.Context, network, host string) (net.Conn, error) {
	if m.crashed.Load() {
		return nil, errors.New("crashed")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, host)
	if err == nil {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.conns[conn] = true
	}
	return conn, err
}

func (m *member) leave(w *world) {
	m.cancel()
	<-m.done
	m.client.CloseAllowingRebalance()
	w.died(m)
}

// crash ends all its connections at once: the coordinator hears nothing more.
func (m *member) crash(w *world) {
	m.crashed.Store(true)
	m.lock.Lock()
	for conn := range m.conns {
		conn.Close()
	}
	m.lock.Unlock()
	w.died(m)
	m.cancel()
	go func() {
		<-m.done
		m.client.CloseAllowingRebalance()
	}()
}

func (w *world) produce(ctx context.Context, address string, done *sync.WaitGroup) {
	defer done.Done()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for n := int32(0); ctx.Err() == nil; n = (n + 1) % w.partitions {
		client.Produce(context.Background(), &kgo.Record{Topic: w.topic, Partition: n, Value: []byte("a record")}, func(record *kgo.Record, err error) {
			w.Lock()
			defer w.Unlock()
			if err != nil {
				w.violation("a record is not produced: %v", err)
			} else {
				w.produced[record.Partition] = max(w.produced[record.Partition], record.Offset+1)
			}
		})
		time.Sleep(500 * time.Microsecond)
	}
	_ = client.Flush(context.Background())
}

// watch looks at what is committed.
func (w *world) watch(ctx context.Context, address, group string, done *sync.WaitGroup) {
	defer done.Done()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for ctx.Err() == nil {
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		found, err := kadm.NewClient(client).FetchOffsets(ask, group)
		cancel()
		if err == nil {
			w.Lock()
			found.Each(func(offset kadm.OffsetResponse) {
				if offset.Err != nil || offset.Topic != w.topic {
					return
				}
				if before := w.committed[offset.Partition]; offset.At < before {
					w.violation("partition %d: the committed offset goes back from %d to %d", offset.Partition, before, offset.At)
				}
				w.committed[offset.Partition] = max(w.committed[offset.Partition], offset.At)
			})
			w.Unlock()
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// unfinished says what is left to be read, and whom to blame for overlaps that never ended.
func (w *world) unfinished() int {
	w.Lock()
	defer w.Unlock()
	left := 0
	for p := range w.produced {
		if w.next[p] < w.produced[p] {
			left++
		}
	}
	return left
}

type request struct {
	Op    string `json:"op"`
	Count int    `json:"count"`
}

func main() {
	address, topic, group := os.Args[1], os.Args[2], os.Args[4]
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	w := &world{
		topic: topic, partitions: int32(count), classic: os.Args[5] == "classic", owner: make([]*member, count), living: map[*member]bool{}, claims: map[claim]*member{},
		overlaps: map[int32]*member{}, wrong: []string{}, next: make([]int64, count), produced: make([]int64, count), committed: make([]int64, count),
	}
	var helpers sync.WaitGroup
	produce, stopProducing := context.WithCancel(context.Background())
	watch, stopWatching := context.WithCancel(context.Background())
	var producing sync.WaitGroup
	producing.Add(1)
	go w.produce(produce, address, &producing)
	helpers.Add(1)
	go w.watch(watch, address, group, &helpers)
	var members []*member
	numbers := 0
	answer := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		told := map[string]any{}
		switch asked.Op {
		case "join":
			w.asked = time.Now()
			for range asked.Count {
				numbers++
				m, err := w.join(address, group, numbers)
				if err != nil {
					panic(err)
				}
				members = append(members, m)
			}
		case "leave", "crash":
			w.asked = time.Now()
			chosen := members[:min(asked.Count, len(members))]
			members = members[len(chosen):]
			var left sync.WaitGroup
			for _, m := range chosen {
				if asked.Op == "crash" {
					m.crash(w)
					continue
				}
				left.Go(func() { m.leave(w) })
			}
			left.Wait()
		case "mark":
			w.asked = time.Now()
		case "settle":
			told["settled"] = false
			for end := time.Now().Add(settleIn); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if last, settled := w.settled(); settled {
					told["settled"], told["ms"] = true, max(0, last.Sub(w.asked).Milliseconds())
					break
				}
			}
		case "finish":
			stopProducing()
			producing.Wait()
			for end := time.Now().Add(settleIn); w.unfinished() > 0 && time.Now().Before(end); {
				time.Sleep(50 * time.Millisecond)
			}
			stopWatching()
			helpers.Wait()
			left := w.unfinished()
			w.Lock()
			if left > 0 {
				w.violation("%d partitions are not read to their end", left)
			}
			for p, m := range w.overlaps {
				w.violation("partition %d: member %d never heard that another has it", p, m.number)
			}
			told["wrong"], told["wrongs"], told["read"], told["twice"] = w.wrong, w.wrongs, w.read, w.twice
			w.Unlock()
		default:
			panic("no operation " + asked.Op)
		}
		if err := answer.Encode(told); err != nil {
			panic(err)
		}
	}
	for _, m := range members {
		m.cancel()
	}
}
