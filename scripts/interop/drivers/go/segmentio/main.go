// The driver of segmentio's kafka-go: Writer, Reader, Client.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"odradek/interop/driver"
)

var (
	address = os.Args[1]
	ctx     = context.Background()
	client  = &kafka.Client{Addr: kafka.TCP(address), Timeout: 30 * time.Second}
	codecs  = map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
)

func main() {
	(&driver.Library{
		Operations: map[string]func(*driver.Request) (any, error){
			"create_topic": createTopic, "delete_topic": deleteTopic, "topics": topics, "partitions": partitions, "add_partitions": addPartitions,
			"configs": configs, "alter_config": alterConfig, "produce": produce, "read": read, "offset": offset,
			"committed": committed, "groups": groups, "describe_group": describeGroup, "delete_group": deleteGroup, "delete_offsets": deleteOffsets,
		},
		Abilities: []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Join:      join,
		Code:      code,
	}).Main()
}

func code(err error) (int16, bool) {
	var several kafka.WriteErrors
	if errors.As(err, &several) {
		err = several[0]
	}
	var large kafka.MessageTooLargeError
	if errors.As(err, &large) {
		return int16(kafka.MessageSizeTooLarge), true
	}
	var one kafka.Error
	if errors.As(err, &one) {
		return int16(one), true
	}
	return 0, false
}

func createTopic(r *driver.Request) (any, error) {
	config := kafka.TopicConfig{Topic: r.Topic, NumPartitions: int(r.Partitions), ReplicationFactor: 1}
	for name, value := range r.Configs {
		config.ConfigEntries = append(config.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	done, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err != nil {
		return nil, err
	}
	return nil, done.Errors[r.Topic]
}

func deleteTopic(r *driver.Request) (any, error) {
	done, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{r.Topic}})
	if err != nil {
		return nil, err
	}
	return nil, done.Errors[r.Topic]
}

func topics(*driver.Request) (any, error) {
	found, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, topic := range found.Topics {
		names = append(names, topic.Name)
	}
	return names, nil
}

func partitions(r *driver.Request) (any, error) {
	found, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.Topic}})
	if err != nil {
		return nil, err
	}
	leaders := map[int]int{}
	for _, p := range found.Topics[0].Partitions {
		leaders[p.ID] = p.Leader.ID
	}
	return leaders, found.Topics[0].Error
}

func addPartitions(r *driver.Request) (any, error) {
	done, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: r.Topic, Count: r.Total}}})
	if err != nil {
		return nil, err
	}
	return nil, done.Errors[r.Topic]
}

func configs(r *driver.Request) (any, error) {
	found, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic}},
	})
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, entry := range found.Resources[0].ConfigEntries {
		values[entry.ConfigName] = entry.ConfigValue
	}
	return values, found.Resources[0].Error
}

func alterConfig(r *driver.Request) (any, error) {
	done, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: r.Name, Value: r.Value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err != nil {
		return nil, err
	}
	return nil, done.Resources[0].Error
}

// What goes with a message to its balancer and back to the completion.
type place struct {
	index     int
	partition *int32
}

// A partition that is given, and else the one of the key.
type given struct{ kafka.Balancer }

func (g given) Balance(message kafka.Message, partitions ...int) int {
	if partition := message.WriterData.(place).partition; partition != nil {
		return int(*partition)
	}
	return g.Balancer.Balance(message, partitions...)
}

func produce(r *driver.Request) (any, error) {
	placed := make([][2]int64, len(r.Records))
	var lock sync.Mutex
	writer := &kafka.Writer{
		Addr: kafka.TCP(address), Topic: r.Topic, Balancer: given{&kafka.Hash{}}, RequiredAcks: kafka.RequiredAcks(r.Acks), Compression: codecs[r.Codec],
		BatchTimeout: 5 * time.Millisecond, Transport: &kafka.Transport{},
		Completion: func(messages []kafka.Message, err error) {
			lock.Lock()
			defer lock.Unlock()
			for _, message := range messages {
				placed[message.WriterData.(place).index] = [2]int64{int64(message.Partition), message.Offset}
			}
		},
	}
	messages := make([]kafka.Message, len(r.Records))
	for i, record := range r.Records {
		messages[i] = kafka.Message{Key: record.Key, Value: record.Value, Time: record.Time(), WriterData: place{i, record.Partition}}
		for _, h := range record.Headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: h.Name, Value: h.Value})
		}
	}
	if err := errors.Join(writer.WriteMessages(ctx, messages...), writer.Close()); err != nil {
		return nil, err
	}
	return placed, nil
}

func turned(message kafka.Message) driver.Record {
	headers := []driver.Header{}
	for _, h := range message.Headers {
		headers = append(headers, driver.Header{Name: h.Key, Value: h.Value})
	}
	return driver.Read(message, int32(message.Partition), message.Offset, message.Time, message.Key, message.Value, headers)
}

func read(r *driver.Request) (any, error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{address}, Topic: r.Topic, Partition: int(r.Partition), MaxBytes: 20000, MaxWait: 100 * time.Millisecond, OffsetOutOfRangeError: true,
	})
	defer reader.Close()
	answer := [][]driver.Record{}
	for _, offset := range r.Offsets {
		if err := reader.SetOffset(offset); err != nil {
			return nil, err
		}
		until, cancel := context.WithTimeout(ctx, 30*time.Second)
		found := []kafka.Message{}
		for len(found) < r.Count {
			message, err := reader.ReadMessage(until)
			if err != nil {
				cancel()
				return nil, fmt.Errorf("after %d records: %w", len(found), err)
			}
			found = append(found, message)
		}
		cancel()
		answer = append(answer, driver.All(found, turned))
	}
	return answer, nil
}

func offset(r *driver.Request) (any, error) {
	ask := kafka.LastOffsetOf(int(r.Partition))
	switch at := r.At.(type) {
	case string:
		if at == "earliest" {
			ask = kafka.FirstOffsetOf(int(r.Partition))
		}
	case float64:
		ask = kafka.TimeOffsetOf(int(r.Partition), time.UnixMilli(int64(at)))
	}
	found, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{r.Topic: {ask}}})
	if err != nil {
		return nil, err
	}
	one := found.Topics[r.Topic][0]
	switch ask.Timestamp {
	case kafka.FirstOffset:
		return one.FirstOffset, one.Error
	case kafka.LastOffset:
		return one.LastOffset, one.Error
	}
	for offset := range one.Offsets {
		return offset, one.Error
	}
	return -1, one.Error
}

// member is a Reader. It does not tell what it was given: the group's description does, by the client's id.
type member struct {
	group, topic, id string
	reader           *kafka.Reader
}

var joined atomic.Int64

func join(r *driver.Request, queue *driver.Queue) (driver.Member, error) {
	m := &member{group: r.Group, topic: r.Topic, id: fmt.Sprintf("%s-%d-%d", r.Group, os.Getpid(), joined.Add(1))}
	m.reader = kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{address}, GroupID: r.Group, Topic: r.Topic, SessionTimeout: r.Session(), HeartbeatInterval: 300 * time.Millisecond,
		MaxWait: 100 * time.Millisecond, StartOffset: kafka.FirstOffset, Dialer: &kafka.Dialer{ClientID: m.id, Timeout: 10 * time.Second},
		ErrorLogger: kafka.LoggerFunc(func(format string, given ...any) { fmt.Fprintf(os.Stderr, format+"\n", given...) }),
	})
	go func() {
		for {
			message, err := m.reader.FetchMessage(ctx)
			if err != nil {
				return
			}
			queue.Put(turned(message))
		}
	}()
	return m, nil
}

func (m *member) Assigned() []int32 {
	assigned := []int32{}
	found, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{m.group}})
	if err != nil || found.Groups[0].Error != nil || found.Groups[0].GroupState != "Stable" {
		return assigned
	}
	for _, one := range found.Groups[0].Members {
		if one.ClientID == m.id {
			for _, topic := range one.MemberAssignments.Topics {
				for _, partition := range topic.Partitions {
					assigned = append(assigned, int32(partition))
				}
			}
		}
	}
	return assigned
}

func (m *member) Commit(taken []driver.Record) error {
	messages := []kafka.Message{}
	for _, record := range taken {
		messages = append(messages, record.Raw.(kafka.Message))
	}
	return m.reader.CommitMessages(ctx, messages...)
}

func (m *member) Leave() error { return m.reader.Close() }

func committed(r *driver.Request) (any, error) {
	// kafka-go asks for the partitions that it is told.
	all, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.Topic}})
	if err != nil {
		return nil, err
	}
	partitions := []int{}
	for _, p := range all.Topics[0].Partitions {
		partitions = append(partitions, p.ID)
	}
	found, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: r.Group, Topics: map[string][]int{r.Topic: partitions}})
	if err != nil {
		return nil, err
	}
	offsets := map[int]int64{}
	for _, one := range found.Topics[r.Topic] {
		if one.CommittedOffset >= 0 {
			offsets[one.Partition] = one.CommittedOffset
		}
	}
	return offsets, found.Error
}

func groups(*driver.Request) (any, error) {
	found, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, group := range found.Groups {
		names = append(names, group.GroupID)
	}
	return names, found.Error
}

func describeGroup(r *driver.Request) (any, error) {
	found, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{r.Group}})
	if err != nil {
		return nil, err
	}
	one := found.Groups[0]
	return map[string]any{"state": one.GroupState, "members": len(one.Members)}, one.Error
}

func deleteGroup(r *driver.Request) (any, error) {
	done, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{r.Group}})
	if err != nil {
		return nil, err
	}
	return nil, done.Errors[r.Group]
}

func deleteOffsets(r *driver.Request) (any, error) {
	done, err := client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: r.Group, Topics: map[string][]int{r.Topic: {0}}})
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(done.Error, done.Topics[r.Topic][0].Error)
}
