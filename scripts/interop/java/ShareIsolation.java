import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.ApiMessageType;

// Share groups on a topic with transactions: prints how many records a member of each gets, first with share.isolation.level=read_committed,
// then with read_uncommitted. It has no heartbeat: the state of the groups is initialised by hand.
//
//   javac -d CLASSES -cp 'LIBS/*' scripts/compat/*.java scripts/interop/java/ShareIsolation.java
//   java -cp 'CLASSES:LIBS/*' ShareIsolation PORT TOPIC PARTITIONS
public class ShareIsolation {
    public static void main(String[] args) throws Exception {
        try (Peer peer = new Peer("the broker", Integer.parseInt(args[0]))) {
            Suite.await(peer, args[1], Integer.parseInt(args[2]));
            for (String level : new String[] {"read_committed", "read_uncommitted"}) {
                System.out.println(level + " " + records(peer, args[1], Integer.parseInt(args[2]), level));
            }
        }
    }

    private static long records(Peer peer, String topic, int partitions, String level) throws Exception {
        peer.ask(ApiMessageType.INCREMENTAL_ALTER_CONFIGS, 1, """
            {"resources":[{"resourceType":32,"resourceName":"%s","configs":[{"name":"share.isolation.level","configOperation":0,"value":"%s"}]}],"validateOnly":false}""".formatted(level, level));
        StringBuilder all = new StringBuilder();
        for (int partition = 0; partition < partitions; partition++) {
            begin(peer, topic, partition, level);
            all.append(all.isEmpty() ? "" : ",").append("{\"partitionIndex\":%d,\"acknowledgementBatches\":[]}".formatted(partition));
        }
        long count = 0;
        for (int epoch = 0, empty = 0; empty < 3; epoch++) {
            String topics = epoch == 0 ? "{\"topicId\":\"%s\",\"partitions\":[%s]}".formatted(peer.id(topic), all) : "";
            ObjectNode answer = peer.ask(ApiMessageType.SHARE_FETCH, 2, """
                {"groupId":"%s","memberId":"member","shareSessionEpoch":%d,"maxWaitMs":500,"minBytes":1,"maxBytes":50000000,"maxRecords":500,"batchSize":500,"shareAcquireMode":0,
                 "isRenewAck":false,"topics":[%s],"forgottenTopicsData":[]}""".formatted(level, epoch, topics));
            long before = count;
            for (JsonNode ranges : answer.findValues("acquiredRecords")) {
                for (JsonNode range : ranges) {
                    count += range.get("lastOffset").longValue() - range.get("firstOffset").longValue() + 1;
                }
            }
            empty = count == before ? empty + 1 : 0;
        }
        return count;
    }

    private static void begin(Peer peer, String topic, int partition, String group) throws Exception {
        String key = "{\"key\":\"\",\"keyType\":2,\"coordinatorKeys\":[\"%s:%s:%d\"]}".formatted(group, peer.id(topic), partition);
        String body = "{\"groupId\":\"%s\",\"topics\":[{\"topicId\":\"%s\",\"partitions\":[{\"partition\":%d,\"stateEpoch\":1,\"startOffset\":0}]}]}"
            .formatted(group, peer.id(topic), partition);
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            peer.ask(ApiMessageType.FIND_COORDINATOR, 6, key);
            ObjectNode answer = peer.ask(ApiMessageType.INITIALIZE_SHARE_GROUP_STATE, 0, body);
            if (answer.get("results").get(0).get("partitions").get(0).get("errorCode").intValue() == 0) {
                return;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(group + " does not begin");
    }
}
