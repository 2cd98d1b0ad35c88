// The driver of franz-go: kgo for records and groups, kadm for administration.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/interop/driver"
)

var (
	address = os.Args[1]
	ctx     = context.Background()
	admin   *kadm.Client
	codecs  = map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks = map[int]kgo.Acks{0: kgo.NoAck(), 1: kgo.LeaderAck(), -1: kgo.AllISRAcks()}
)

func client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(address), kgo.MetadataMinAge(100*time.Millisecond))...)
}

func main() {
	plain, err := client()
	if err != nil {
		panic(err)
	}
	admin = kadm.NewClient(plain)
	(&driver.Library{
		Operations: map[string]func(*driver.Request) (any, error){
			"create_topic": createTopic, "delete_topic": deleteTopic, "topics": topics, "partitions": partitions, "add_partitions": addPartitions,
			"configs": configs, "alter_config": alterConfig, "delete_records": deleteRecords, "produce": produce, "read": read, "offset": offset,
			"committed": committed, "groups": groups, "describe_group": describeGroup, "delete_group": deleteGroup, "delete_offsets": deleteOffsets,
		},
		Abilities: []string{"none", "gzip", "snappy", "lz4", "zstd", "idempotent", "static", "cooperative", "consumer", "empty"},
		Join:      join,
		Code: func(err error) (int16, bool) {
			var kafka *kerr.Error
			if errors.As(err, &kafka) {
				return kafka.Code, true
			}
			return 0, false
		},
	}).Main()
}

func createTopic(r *driver.Request) (any, error) {
	given := map[string]*string{}
	for name, value := range r.Configs {
		given[name] = &value
	}
	_, err := admin.CreateTopic(ctx, r.Partitions, 1, given, r.Topic)
	return nil, err
}

func deleteTopic(r *driver.Request) (any, error) {
	_, err := admin.DeleteTopic(ctx, r.Topic)
	return nil, err
}

func topics(*driver.Request) (any, error) {
	found, err := admin.ListTopics(ctx)
	return found.Names(), err
}

func partitions(r *driver.Request) (any, error) {
	found, err := admin.ListTopics(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	leaders := map[int32]int32{}
	for _, p := range found[r.Topic].Partitions {
		leaders[p.Partition] = p.Leader
	}
	return leaders, found[r.Topic].Err
}

func addPartitions(r *driver.Request) (any, error) {
	done, err := admin.UpdatePartitions(ctx, int(r.Total), r.Topic)
	return nil, errors.Join(err, done.Error())
}

func configs(r *driver.Request) (any, error) {
	found, err := admin.DescribeTopicConfigs(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, config := range found[0].Configs {
		values[config.Key] = config.MaybeValue()
	}
	return values, found[0].Err
}

func alterConfig(r *driver.Request) (any, error) {
	done, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: r.Name, Value: &r.Value}}, r.Topic)
	if err != nil {
		return nil, err
	}
	return nil, done[0].Err
}

func deleteRecords(r *driver.Request) (any, error) {
	var upTo kadm.Offsets
	upTo.Add(kadm.Offset{Topic: r.Topic, Partition: r.Partition, At: r.Offset})
	done, err := admin.DeleteRecords(ctx, upTo)
	if err != nil {
		return nil, err
	}
	answer := done[r.Topic][r.Partition]
	return answer.LowWatermark, answer.Err
}

// A partition that is given, and else the one of the key.
type given struct{ kgo.Partitioner }
type givenForTopic struct{ kgo.TopicPartitioner }

func (g given) ForTopic(topic string) kgo.TopicPartitioner {
	return givenForTopic{g.Partitioner.ForTopic(topic)}
}

func (g givenForTopic) Partition(record *kgo.Record, count int) int {
	if record.Partition >= 0 {
		return int(record.Partition)
	}
	return g.TopicPartitioner.Partition(record, count)
}

func produce(r *driver.Request) (any, error) {
	options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[r.Codec]), kgo.RequiredAcks(acks[r.Acks]), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.RecordPartitioner(given{kgo.StickyKeyPartitioner(nil)})}
	if !r.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	producer, err := client(options...)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	records := make([]*kgo.Record, len(r.Records))
	for i, record := range r.Records {
		records[i] = &kgo.Record{Topic: r.Topic, Partition: -1, Key: record.Key, Value: record.Value, Timestamp: record.Time()}
		if record.Partition != nil {
			records[i].Partition = *record.Partition
		}
		for _, h := range record.Headers {
			records[i].Headers = append(records[i].Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	placed := [][2]int64{}
	for _, record := range records {
		placed = append(placed, [2]int64{int64(record.Partition), record.Offset})
	}
	return placed, nil
}

func turned(record *kgo.Record) driver.Record {
	headers := []driver.Header{}
	for _, h := range record.Headers {
		headers = append(headers, driver.Header{Name: h.Key, Value: h.Value})
	}
	return driver.Read(record, record.Partition, record.Offset, record.Timestamp, record.Key, record.Value, headers)
}

func read(r *driver.Request) (any, error) {
	start := map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: kgo.NewOffset().At(r.Offsets[0])}}
	consumer, err := client(kgo.ConsumePartitions(start), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxPartitionBytes(20000))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	answer := [][]driver.Record{}
	for i, offset := range r.Offsets {
		if i > 0 {
			consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.Topic: {r.Partition: {Epoch: -1, Offset: offset}}})
		}
		until, cancel := context.WithTimeout(ctx, 30*time.Second)
		found := []*kgo.Record{}
		for len(found) < r.Count {
			fetches := consumer.PollFetches(until)
			if err := fetches.Err(); err != nil {
				cancel()
				return nil, fmt.Errorf("after %d records: %w", len(found), err)
			}
			found = append(found, fetches.Records()...)
		}
		cancel()
		answer = append(answer, driver.All(found[:r.Count], turned))
	}
	return answer, nil
}

func offset(r *driver.Request) (any, error) {
	var found kadm.ListedOffsets
	var err error
	switch at := r.At.(type) {
	case string:
		if at == "earliest" {
			found, err = admin.ListStartOffsets(ctx, r.Topic)
		} else {
			found, err = admin.ListEndOffsets(ctx, r.Topic)
		}
	case float64:
		found, err = admin.ListOffsetsAfterMilli(ctx, int64(at), r.Topic)
	}
	if err != nil {
		return nil, err
	}
	one := found[r.Topic][r.Partition]
	return one.Offset, one.Err
}

type member struct {
	driver.Assignment
	consumer *kgo.Client
}

func join(r *driver.Request, queue *driver.Queue) (driver.Member, error) {
	m := &member{}
	balancer := kgo.RangeBalancer()
	if r.Strategy == "cooperative" {
		balancer = kgo.CooperativeStickyBalancer()
	}
	take := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { m.Take(gone[r.Topic]...) }
	options := []kgo.Opt{
		kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topic), kgo.DisableAutoCommit(), kgo.SessionTimeout(r.Session()), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.Balancers(balancer), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.OnPartitionsRevoked(take), kgo.OnPartitionsLost(take),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, now map[string][]int32) { m.Give(now[r.Topic]...) }),
	}
	if r.Protocol == "consumer" {
		if r.Strategy != "range" {
			balancer = kgo.StickyBalancer()
		}
		options = append(options, kgo.Balancers(balancer), kgo.ServerSideBalancer())
	}
	if r.Instance != "" {
		options = append(options, kgo.InstanceID(r.Instance))
	}
	var err error
	if m.consumer, err = client(options...); err != nil {
		return nil, err
	}
	go func() {
		for {
			fetches := m.consumer.PollFetches(ctx)
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachError(func(_ string, p int32, err error) { fmt.Fprintln(os.Stderr, "partition", p, err) })
			fetches.EachRecord(func(record *kgo.Record) { queue.Put(turned(record)) })
		}
	}()
	return m, nil
}

func (m *member) Commit(taken []driver.Record) error {
	records := []*kgo.Record{}
	for _, record := range taken {
		records = append(records, record.Raw.(*kgo.Record))
	}
	return m.consumer.CommitRecords(ctx, records...)
}

func (m *member) Leave() error {
	m.consumer.Close()
	return nil
}

func committed(r *driver.Request) (any, error) {
	found, err := admin.FetchOffsetsForTopics(ctx, r.Group, r.Topic)
	offsets := map[int32]int64{}
	for partition, one := range found[r.Topic] {
		if one.At >= 0 {
			offsets[partition] = one.At
		}
	}
	return offsets, errors.Join(err, found.Error())
}

func groups(*driver.Request) (any, error) {
	found, err := admin.ListGroups(ctx)
	return found.Groups(), err
}

func describeGroup(r *driver.Request) (any, error) {
	found, err := admin.DescribeGroups(ctx, r.Group)
	one := found[r.Group]
	return map[string]any{"state": one.State, "members": len(one.Members)}, errors.Join(err, one.Err)
}

func deleteGroup(r *driver.Request) (any, error) {
	_, err := admin.DeleteGroup(ctx, r.Group)
	return nil, err
}

func deleteOffsets(r *driver.Request) (any, error) {
	var which kadm.TopicsSet
	which.Add(r.Topic, 0)
	done, err := admin.DeleteOffsets(ctx, r.Group, which)
	return nil, errors.Join(err, done.Error())
}
