// Package driver is the half of a driver that knows no library: it reads requests, calls operations, writes answers.
// scripts/lib/client.py says what is on the wire.
package driver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Request is every operation's arguments.
type Request struct {
	Op         string            `json:"op"`
	Topic      string            `json:"topic"`
	Group      string            `json:"group"`
	Name       string            `json:"name"`
	Value      string            `json:"value"`
	Codec      string            `json:"codec"`
	Instance   string            `json:"instance"`
	Strategy   string            `json:"strategy"`
	Configs    map[string]string `json:"configs"`
	Partitions int32             `json:"partitions"`
	Total      int32             `json:"total"`
	Partition  int32             `json:"partition"`
	Offset     int64             `json:"offset"`
	Offsets    []int64           `json:"offsets"`
	Count      int               `json:"count"`
	Acks       int               `json:"acks"`
	Idempotent bool              `json:"idempotent"`
	SessionMs  int64             `json:"session_ms"`
	Protocol   string            `json:"protocol"`
	Member     int               `json:"member"`
	At         any               `json:"at"`
	Records    []Record          `json:"records"`
}

// Session is how long a member may be silent.
func (r *Request) Session() time.Duration { return time.Duration(r.SessionMs) * time.Millisecond }

// Record is one to produce, or one that was read. A partition of nil is the partitioner's to choose, a timestamp of nil is now.
type Record struct {
	Partition *int32   `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp *int64   `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
	// Raw is the library's own, of a record that was read.
	Raw any `json:"-"`
}

// Header is a name and a value, an array on the wire.
type Header struct {
	Name  string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Name, h.Value}) }

func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

// Time is the record's timestamp, or now.
func (r *Record) Time() time.Time {
	if r.Timestamp == nil {
		return time.Now()
	}
	return time.UnixMilli(*r.Timestamp)
}

// Read makes a record that was read.
func Read(raw any, partition int32, offset int64, timestamp time.Time, key, value []byte, headers []Header) Record {
	ms := timestamp.UnixMilli()
	if headers == nil {
		headers = []Header{}
	}
	return Record{&partition, offset, &ms, key, value, headers, raw}
}

// Member is a consumer in a group that reads in the background.
type Member interface {
	Assigned() []int32
	// Commit commits what was taken.
	Commit(taken []Record) error
	Leave() error
}

// Queue is what a member has read and nobody has taken yet.
type Queue struct {
	lock   sync.Mutex
	unread []Record
}

func (q *Queue) Put(record Record) {
	q.lock.Lock()
	defer q.lock.Unlock()
	q.unread = append(q.unread, record)
}

// take waits for so many, 30 s at most.
func (q *Queue) take(count int) []Record {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		q.lock.Lock()
		if len(q.unread) >= count || time.Now().After(end) {
			count = min(count, len(q.unread))
			taken := q.unread[:count]
			q.unread = q.unread[count:]
			q.lock.Unlock()
			return taken
		}
		q.lock.Unlock()
	}
}

type member struct {
	Member
	queue *Queue
	taken []Record
}

// Library is what a client library can do. Join gets the queue for what the member reads; Code is Kafka's error code of an error, if it has one.
type Library struct {
	Operations map[string]func(*Request) (any, error)
	// Abilities are what else the library has, by the names of client.py.
	Abilities []string
	Join      func(*Request, *Queue) (Member, error)
	Code      func(error) (int16, bool)
}

// Main serves requests until stdin ends.
func (l *Library) Main() {
	members := []*member{}
	l.Operations["join"] = func(r *Request) (any, error) {
		queue := &Queue{}
		joined, err := l.Join(r, queue)
		if err != nil {
			return nil, err
		}
		members = append(members, &member{Member: joined, queue: queue})
		return len(members) - 1, nil
	}
	l.Operations["assigned"] = func(r *Request) (any, error) {
		return members[r.Member].Assigned(), nil
	}
	l.Operations["take"] = func(r *Request) (any, error) {
		m := members[r.Member]
		taken := m.queue.take(r.Count)
		m.taken = append(m.taken, taken...)
		return taken, nil
	}
	l.Operations["commit"] = func(r *Request) (any, error) {
		m := members[r.Member]
		taken := m.taken
		m.taken = nil
		return nil, m.Commit(taken)
	}
	l.Operations["leave"] = func(r *Request) (any, error) { return nil, members[r.Member].Leave() }

	out := json.NewEncoder(os.Stdout)
	names := l.Abilities
	for name := range l.Operations {
		names = append(names, name)
	}
	out.Encode(names)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var request Request
		if err := json.Unmarshal(line, &request); err != nil {
			panic(fmt.Sprintf("%v: %.300s", err, line))
		}
		answer, err := l.Operations[request.Op](&request)
		if err == nil {
			out.Encode(map[string]any{"ok": answer})
			continue
		}
		failure := map[string]any{"code": nil, "message": fmt.Sprintf("%T: %v", err, err)}
		if code, known := l.Code(err); known {
			failure["code"] = code
		}
		out.Encode(map[string]any{"error": failure})
	}
}

// Assignment is what a member has now, noted by the library's callbacks.
type Assignment struct {
	lock       sync.Mutex
	partitions map[int32]bool
}

func (a *Assignment) Give(partitions ...int32) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.partitions == nil {
		a.partitions = map[int32]bool{}
	}
	for _, p := range partitions {
		a.partitions[p] = true
	}
}

func (a *Assignment) Take(partitions ...int32) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for _, p := range partitions {
		delete(a.partitions, p)
	}
}

func (a *Assignment) Assigned() []int32 {
	a.lock.Lock()
	defer a.lock.Unlock()
	assigned := []int32{}
	for p := range a.partitions {
		assigned = append(assigned, p)
	}
	return assigned
}

// All turns what was read with one library's types into records.
func All[T any](found []T, turn func(T) Record) []Record {
	records := make([]Record, len(found))
	for i, one := range found {
		records[i] = turn(one)
	}
	return records
}
