// The driver of sarama: sync producer, partition consumer, consumer group, cluster admin.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"odradek/interop/driver"
)

var (
	addresses = []string{os.Args[1]}
	admin     sarama.ClusterAdmin
	client    sarama.Client
	codecs    = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
)

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Consumer.Return.Errors = true
	return c
}

func main() {
	var err error
	if client, err = sarama.NewClient(addresses, config()); err != nil {
		panic(err)
	}
	if admin, err = sarama.NewClusterAdmin(addresses, config()); err != nil {
		panic(err)
	}
	(&driver.Library{
		Operations: map[string]func(*driver.Request) (any, error){
			"create_topic": createTopic, "delete_topic": deleteTopic, "topics": topics, "partitions": partitions, "add_partitions": addPartitions,
			"configs": configs, "alter_config": alterConfig, "delete_records": deleteRecords, "produce": produce, "read": read, "offset": offset,
			"committed": committed, "groups": groups, "describe_group": describeGroup, "delete_group": deleteGroup, "delete_offsets": deleteOffsets,
		},
		Abilities: []string{"none", "gzip", "snappy", "lz4", "zstd", "idempotent", "static", "empty"},
		Join:      join,
		Code:      code,
	}).Main()
}

func code(err error) (int16, bool) {
	var several sarama.ProducerErrors
	if errors.As(err, &several) {
		err = several[0].Err
	}
	var kafka sarama.KError
	if errors.As(err, &kafka) {
		return int16(kafka), true
	}
	return 0, false
}

func createTopic(r *driver.Request) (any, error) {
	given := map[string]*string{}
	for name, value := range r.Configs {
		given[name] = &value
	}
	return nil, admin.CreateTopic(r.Topic, &sarama.TopicDetail{NumPartitions: r.Partitions, ReplicationFactor: 1, ConfigEntries: given}, false)
}

func deleteTopic(r *driver.Request) (any, error) { return nil, admin.DeleteTopic(r.Topic) }

func topics(*driver.Request) (any, error) {
	found, err := admin.ListTopics()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

func partitions(r *driver.Request) (any, error) {
	found, err := admin.DescribeTopics([]string{r.Topic})
	if err != nil {
		return nil, err
	}
	leaders := map[int32]int32{}
	for _, p := range found[0].Partitions {
		leaders[p.ID] = p.Leader
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	return leaders, nil
}

func addPartitions(r *driver.Request) (any, error) {
	return nil, admin.CreatePartitions(r.Topic, r.Total, nil, false)
}

func configs(r *driver.Request) (any, error) {
	found, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
	values := map[string]string{}
	for _, entry := range found {
		values[entry.Name] = entry.Value
	}
	return values, err
}

func alterConfig(r *driver.Request) (any, error) {
	entries := map[string]sarama.IncrementalAlterConfigsEntry{r.Name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &r.Value}}
	return nil, admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, entries, false)
}

// sarama does not tell the new log start: it is asked for.
func deleteRecords(r *driver.Request) (any, error) {
	if err := admin.DeleteRecords(r.Topic, map[int32]int64{r.Partition: r.Offset}); err != nil {
		return nil, err
	}
	return client.GetOffset(r.Topic, r.Partition, sarama.OffsetOldest)
}

// A partition that is given, and else the one of the key.
type given struct{ sarama.Partitioner }

func (g given) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if partition := message.Metadata.(*int32); partition != nil {
		return *partition, nil
	}
	return g.Partitioner.Partition(message, count)
}

func produce(r *driver.Request) (any, error) {
	c := config()
	c.Producer.Compression = codecs[r.Codec]
	c.Producer.RequiredAcks = sarama.RequiredAcks(r.Acks)
	c.Producer.Return.Successes = true
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	c.Producer.Partitioner = func(topic string) sarama.Partitioner { return given{sarama.NewHashPartitioner(topic)} }
	if r.Idempotent {
		c.Producer.Idempotent = true
		c.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer(addresses, c)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(r.Records))
	for i, record := range r.Records {
		messages[i] = &sarama.ProducerMessage{Topic: r.Topic, Metadata: record.Partition, Timestamp: record.Time()}
		// An Encoder of nil is null.
		if record.Key != nil {
			messages[i].Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			messages[i].Value = sarama.ByteEncoder(record.Value)
		}
		for _, h := range record.Headers {
			messages[i].Headers = append(messages[i].Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
		}
	}
	if err := producer.SendMessages(messages); err != nil {
		return nil, err
	}
	placed := [][2]int64{}
	for _, message := range messages {
		placed = append(placed, [2]int64{int64(message.Partition), message.Offset})
	}
	return placed, nil
}

func turned(message *sarama.ConsumerMessage) driver.Record {
	headers := []driver.Header{}
	for _, h := range message.Headers {
		headers = append(headers, driver.Header{Name: string(h.Key), Value: h.Value})
	}
	return driver.Read(message, message.Partition, message.Offset, message.Timestamp, message.Key, message.Value, headers)
}

func read(r *driver.Request) (any, error) {
	consumer, err := sarama.NewConsumer(addresses, config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	answer := [][]driver.Record{}
	for _, offset := range r.Offsets {
		found, err := readFrom(consumer, r, offset)
		if err != nil {
			return nil, err
		}
		answer = append(answer, driver.All(found, turned))
	}
	return answer, nil
}

func readFrom(consumer sarama.Consumer, r *driver.Request, offset int64) ([]*sarama.ConsumerMessage, error) {
	from, err := consumer.ConsumePartition(r.Topic, r.Partition, offset)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	found := []*sarama.ConsumerMessage{}
	for late := time.After(30 * time.Second); len(found) < r.Count; {
		select {
		case message := <-from.Messages():
			found = append(found, message)
		case err := <-from.Errors():
			return nil, err
		case <-late:
			return nil, fmt.Errorf("%d records only", len(found))
		}
	}
	return found, nil
}

func offset(r *driver.Request) (any, error) {
	at := sarama.OffsetNewest
	switch given := r.At.(type) {
	case string:
		if given == "earliest" {
			at = sarama.OffsetOldest
		}
	case float64:
		at = int64(given)
	}
	return client.GetOffset(r.Topic, r.Partition, at)
}

// member is the handler of its sessions.
type member struct {
	driver.Assignment
	topic   string
	group   sarama.ConsumerGroup
	queue   *driver.Queue
	lock    sync.Mutex
	session sarama.ConsumerGroupSession
	stop    context.CancelFunc
	ended   chan struct{}
}

func join(r *driver.Request, queue *driver.Queue) (driver.Member, error) {
	c := config()
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = r.Session()
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Group.InstanceId = r.Instance
	group, err := sarama.NewConsumerGroup(addresses, r.Group, c)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{topic: r.Topic, group: group, queue: queue, stop: stop, ended: make(chan struct{})}
	go func() {
		for err := range group.Errors() {
			fmt.Fprintln(os.Stderr, "group", r.Group, err)
		}
	}()
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{r.Topic}, m); err != nil {
				fmt.Fprintln(os.Stderr, "consume", r.Group, err)
				return
			}
		}
	}()
	return m, nil
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	m.session = session
	m.lock.Unlock()
	m.Give(session.Claims()[m.topic]...)
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	m.Take(session.Claims()[m.topic]...)
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.queue.Put(turned(message))
		case <-session.Context().Done():
			return nil
		}
	}
}

func (m *member) Commit(taken []driver.Record) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, record := range taken {
		m.session.MarkMessage(record.Raw.(*sarama.ConsumerMessage), "")
	}
	m.session.Commit()
	return nil
}

func (m *member) Leave() error {
	m.stop()
	<-m.ended
	return m.group.Close()
}

func committed(r *driver.Request) (any, error) {
	found, err := admin.ListConsumerGroupOffsets(r.Group, nil)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for partition, block := range found.Blocks[r.Topic] {
		if block.Err != sarama.ErrNoError {
			return nil, block.Err
		}
		if block.Offset >= 0 {
			offsets[partition] = block.Offset
		}
	}
	return offsets, nil
}

func groups(*driver.Request) (any, error) {
	found, err := admin.ListConsumerGroups()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

func describeGroup(r *driver.Request) (any, error) {
	found, err := admin.DescribeConsumerGroups([]string{r.Group})
	if err != nil {
		return nil, err
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	return map[string]any{"state": found[0].State, "members": len(found[0].Members)}, nil
}

func deleteGroup(r *driver.Request) (any, error) { return nil, admin.DeleteConsumerGroup(r.Group) }

func deleteOffsets(r *driver.Request) (any, error) {
	return nil, admin.DeleteConsumerGroupOffset(r.Group, r.Topic, 0)
}
