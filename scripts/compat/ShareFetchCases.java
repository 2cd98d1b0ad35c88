import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import org.apache.kafka.common.message.ApiMessageType;

/** ShareFetch and ShareAcknowledge (KIP-932): sessions, what is acquired, what is said of it, and what is stored of that. */
final class ShareFetchCases implements Answers.Cases {
    private static final ApiMessageType FETCH = ApiMessageType.SHARE_FETCH;
    private static final ApiMessageType ACKNOWLEDGE = ApiMessageType.SHARE_ACKNOWLEDGE;
    private static final String NOBODY = "AAAAAAAAAAEAAAAAAAAAAg";
    private static final long TIME = 1_700_000_000_000L;
    private static final int GAP = 0, ACCEPT = 1, RELEASE = 2, REJECT = 3, RENEW = 4;

    /** What a fetch asks for beside partitions. */
    private record Wish(int waitMs, int minBytes, int maxBytes, int maxRecords, int batchSize, int mode, boolean renews) {
        static final Wish ANY = new Wish(5_000, 1, 50 << 20, 500, 500, 0, false);
        static final Wish SHORT = new Wish(300, 1, 50 << 20, 500, 500, 0, false);
        static final Wish NOTHING = new Wish(0, 0, 0, 0, 0, 0, true);

        Wish records(int maxRecords, int mode) {
            return new Wish(waitMs, minBytes, maxBytes, maxRecords, batchSize, mode, renews);
        }

        Wish bytes(int minBytes, int maxBytes) {
            return new Wish(waitMs, minBytes, maxBytes, maxRecords, batchSize, mode, renews);
        }

        Wish ranges(int batchSize) {
            return new Wish(waitMs, minBytes, maxBytes, maxRecords, batchSize, mode, renews);
        }
    }

    /** A member, and the epoch of its session. */
    private static final class Member {
        final Suite suite;
        final String group, name, topic;
        int version = 2;
        int epoch;

        Member(Suite suite, String group, String name, String topic) {
            this.suite = suite;
            this.group = group;
            this.name = name;
            this.topic = topic;
        }

        void fetch(String label, Wish wish, String... partitions) throws Exception {
            int now = next();
            suite.same(group + ", " + label, FETCH, version, peer -> fetchBody(quoted(group), quoted(name), now, wish, topic(peer.id(topic), partitions), ""));
        }

        void forget(String label, Wish wish, int partition) throws Exception {
            int now = next();
            suite.same(group + ", " + label, FETCH, version, peer -> fetchBody(quoted(group), quoted(name), now, wish, "",
                "{\"topicId\":\"%s\",\"partitions\":[%d]}".formatted(peer.id(topic), partition)));
        }

        void say(String label, String... partitions) throws Exception {
            say(label, false, partitions);
        }

        void say(String label, boolean renews, String... partitions) throws Exception {
            int now = next();
            suite.same(group + ", " + label, ACKNOWLEDGE, version, peer -> sayBody(quoted(group), quoted(name), now, renews, topic(peer.id(topic), partitions)));
        }

        private int next() {
            int now = epoch;
            epoch = now >= 0 ? now + 1 : now;
            return now;
        }

        /** What is stored. The start follows with the next change. */
        void stored(String label, int partition) throws Exception {
            // What a session that ends releases is stored after its answer.
            Thread.sleep(300);
            suite.same(group + ", stored " + label, ApiMessageType.READ_SHARE_GROUP_STATE, 0, peer -> state(peer, group, topic, partition));
            suite.same(group + ", stored " + label, ApiMessageType.READ_SHARE_GROUP_STATE_SUMMARY, 1, peer -> state(peer, group, topic, partition));
        }
    }

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("share-fetch", 3, "retention.ms=-1");
        for (int partition = 0; partition < 2; partition++) {
            suite.append("share-fetch", partition, Batches.plain(3, TIME));
            suite.append("share-fetch", partition, Batches.plain(2, TIME));
            suite.append("share-fetch", partition, Batches.compressed("lz4", 5, TIME));
        }
        who(suite);
        sessions(suite);
        life(suite);
        refused(suite);
        wishes(suite);
        deliveries(suite);
        renewals(suite);
        places(suite);
        beginnings(suite);
        tooMany(suite);
    }

    private void who(Suite suite) throws Exception {
        for (int version = 1; version <= 2; version++) {
            for (String[] who : new String[][] {{"null", "\"m\""}, {"\"g\"", "null"}, {"\"g\"", "\"\""}, {"\"g\"", quoted("m".repeat(37))}, {"\"g\"", quoted("ü".repeat(37))}}) {
                suite.same("by " + who[0] + " " + who[1], FETCH, version, peer -> fetchBody(who[0], who[1], 0, Wish.ANY, "", ""));
                suite.same("by " + who[0] + " " + who[1], ACKNOWLEDGE, version, peer -> sayBody(who[0], who[1], 1, false, ""));
            }
            for (int epoch : new int[] {-1, -2, 1, 7}) {
                suite.same("no session, epoch " + epoch, FETCH, version, peer -> fetchBody("\"g\"", quoted("ü".repeat(36)), epoch, Wish.ANY, "", ""));
            }
            for (int epoch : new int[] {-1, -2, 0, 1, 7}) {
                suite.same("no session, epoch " + epoch, ACKNOWLEDGE, version, peer -> sayBody("\"g\"", "\"m\"", epoch, false, ""));
            }
        }
    }

    private void sessions(Suite suite) throws Exception {
        begin(suite, "sessions", 0);
        begin(suite, "sessions", 2);
        Member a = new Member(suite, "sessions", "a", "share-fetch");
        a.fetch("nothing is acknowledged at first", Wish.ANY, said(0, batch(0, 0, ACCEPT)));
        a.epoch = 0;
        a.fetch("twice the same", Wish.ANY, said(0), said(0));
        a.fetch("that is none", Wish.ANY);
        a.epoch = 0;
        a.fetch("no partitions", Wish.ANY);
        for (int epoch : new int[] {2, -2, Integer.MAX_VALUE}) {
            a.epoch = epoch;
            a.fetch("in epoch " + epoch, Wish.ANY);
            a.epoch = epoch;
            a.say("in epoch " + epoch, said(0, batch(0, 0, ACCEPT)));
        }
        a.epoch = 1;
        a.fetch("a partition more", Wish.ANY, said(0));
        a.fetch("nothing new", Wish.SHORT);
        a.fetch("the same again", Wish.SHORT, said(0));
        a.say("nothing", new String[0]);
        a.fetch("an unknown partition", Wish.SHORT, said(7));
        a.fetch("it is told again", Wish.SHORT);
        a.forget("it is forgotten", Wish.SHORT, 7);
        a.fetch("the error is over", Wish.SHORT);
        a.fetch("an empty partition", Wish.SHORT, said(2));
        a.fetch("nothing new of it", Wish.SHORT);
        a.epoch = 0;
        a.fetch("anew", Wish.SHORT, said(0), said(2));
        Member b = new Member(suite, "sessions", "b", "share-fetch");
        b.fetch("one more member", Wish.SHORT, said(0));
        b.say("what another has", said(0, batch(0, 9, ACCEPT)));
        a.epoch = -1;
        a.fetch("the end", Wish.ANY, said(0, batch(0, 0, ACCEPT)));
        a.fetch("after the end", Wish.ANY);
        b.fetch("what it has left", Wish.ANY);
        b.epoch = -1;
        b.say("the end", said(0, batch(1, 1, REJECT)));
        b.say("after the end", said(0, batch(1, 1, REJECT)));
        b.stored("at the end", 0);
        Member c = new Member(suite, "sessions", "c", "share-fetch");
        c.fetch("without partitions", Wish.ANY);
        suite.same("of an unknown topic", ACKNOWLEDGE, 2, peer -> sayBody("\"sessions\"", "\"c\"", 1, false, topic(NOBODY, said(0, batch(0, 0, ACCEPT)), said(1))));
    }

    private void life(Suite suite) throws Exception {
        begin(suite, "life", 0);
        begin(suite, "life", 1);
        Member a = new Member(suite, "life", "a", "share-fetch");
        Member b = new Member(suite, "life", "b", "share-fetch");
        a.version = 1;
        a.fetch("the first", Wish.ANY, said(0));
        b.fetch("the second", Wish.ANY, said(1));
        a.stored("before anything is said", 0);
        a.say("some", said(0, batch(0, 0, ACCEPT), batch(1, 1, RELEASE), batch(2, 2, REJECT), batch(3, 3, GAP)));
        a.stored("some", 0);
        a.fetch("what was released", Wish.ANY);
        a.say("each its own", said(0, batch(4, 7, ACCEPT, RELEASE, ACCEPT, REJECT)));
        a.stored("each its own", 0);
        a.say("all that is left", said(0, batch(1, 1, ACCEPT), batch(8, 9, ACCEPT)));
        a.stored("all that is left", 0);
        a.fetch("with a fetch", Wish.ANY, said(0, batch(5, 5, RELEASE)));
        a.fetch("what was released", Wish.ANY);
        a.fetch("the last", Wish.SHORT, said(0, batch(5, 5, ACCEPT)));
        a.stored("the last", 0);
        a.say("what lies below the start", said(0, batch(0, 5, ACCEPT)));
        suite.append("share-fetch", 2, Batches.plain(1, TIME));
        a.fetch("something new", Wish.SHORT);
        a.say("of several partitions", said(0, batch(9, 9, ACCEPT)), said(1, batch(0, 0, ACCEPT)), said(2, batch(0, 0, ACCEPT)), said(7, batch(0, 0, ACCEPT)));
        b.fetch("with some of which nothing is said", Wish.SHORT, said(0), said(1, batch(0, 0, ACCEPT)), said(2));
        b.say("with some of which nothing is said", said(0), said(1, batch(1, 1, ACCEPT)), said(2));
        b.say("nothing of any", said(0), said(1));
        b.stored("of the other", 1);
        b.say("twice of one", said(1, batch(2, 2, ACCEPT)), said(1, batch(3, 3, ACCEPT)));
        b.stored("twice of one", 1);
    }

    private void refused(Suite suite) throws Exception {
        begin(suite, "refused", 0);
        Member a = new Member(suite, "refused", "a", "share-fetch");
        a.fetch("all", Wish.ANY.records(5, 0), said(0));
        for (int version = 1; version <= 2; version++) {
            a.version = version;
            for (String[] said : new String[][] {{batch(1, 0, ACCEPT)}, {batch(0, 0)}, {batch(0, 2, ACCEPT, ACCEPT)}, {batch(0, 0, ACCEPT, ACCEPT)}, {batch(0, 0, 5)}, {batch(0, 0, -1)},
                {batch(0, 0, RENEW)}, {batch(-1, 0, ACCEPT, ACCEPT)}, {batch(-2, 0, ACCEPT)}, {batch(3, 3, ACCEPT), batch(0, 0, ACCEPT)}, {batch(0, 5, ACCEPT)}, {batch(5, 5, ACCEPT)},
                {batch(7, 9, ACCEPT)}, {batch(0, Long.MAX_VALUE, ACCEPT)}, {batch(0, 1, RELEASE), batch(1, 2, RELEASE)}, {batch(0, 1, RELEASE), batch(0, 9, RELEASE)}}) {
                a.say(String.join(",", said), said(0, said));
                a.fetch(String.join(",", said), Wish.SHORT.records(0, 0), said(0, said));
            }
            a.stored("nothing", 0);
        }
        a.say("good", said(0, batch(0, 0, ACCEPT)));
        a.say("twice", said(0, batch(0, 1, ACCEPT)));
        a.say("released", said(0, batch(2, 2, RELEASE)));
        a.say("not any more", said(0, batch(2, 3, ACCEPT)));
        a.stored("only what was good", 0);
    }

    private void wishes(Suite suite) throws Exception {
        int count = 0;
        for (Wish wish : List.of(Wish.ANY.records(1, 0), Wish.ANY.records(3, 0), Wish.ANY.records(4, 0), Wish.ANY.records(1, 1), Wish.ANY.records(4, 1), Wish.ANY.records(500, 1),
            Wish.ANY.ranges(1), Wish.ANY.ranges(3), Wish.ANY.ranges(4), Wish.ANY.ranges(4).records(4, 1), Wish.ANY.bytes(1, 1),
            Wish.ANY.bytes(1, 300), Wish.ANY.bytes(0, 1 << 20), Wish.ANY.bytes(-1, 1 << 20), Wish.SHORT.bytes(1 << 20, 1 << 20), Wish.SHORT.records(0, 0), Wish.SHORT.bytes(1, 0),
            Wish.SHORT.records(5, 2), Wish.SHORT.records(5, -1))) {
            String group = "wishes-" + count++;
            begin(suite, group, 1);
            Member a = new Member(suite, group, "a", "share-fetch");
            a.fetch(wish.toString(), wish, said(1));
            a.fetch("more, " + wish, new Wish(300, wish.minBytes, wish.maxBytes, wish.maxRecords, wish.batchSize, wish.mode, false));
            a.epoch = -1;
            a.fetch("the end", Wish.ANY);
            a.stored(wish.toString(), 1);
        }
    }

    /** The same records fail again and again. */
    private void deliveries(Suite suite) throws Exception {
        begin(suite, "deliveries", 0);
        Member a = new Member(suite, "deliveries", "a", "share-fetch");
        a.fetch("1", Wish.ANY.records(5, 0), said(0));
        for (int i = 0; i < 4; i++) {
            a.epoch = -1;
            a.fetch("the end " + i, Wish.ANY);
            a.stored("" + i, 0);
            a.epoch = 0;
            a.fetch("again " + i, Wish.ANY.records(5, 0), said(0));
        }
    }

    private void renewals(Suite suite) throws Exception {
        begin(suite, "renewals", 0);
        Member a = new Member(suite, "renewals", "a", "share-fetch");
        a.fetch("all", Wish.ANY, said(0));
        a.say("renewed", true, said(0, batch(0, 9, RENEW)));
        a.say("some of them", true, said(0, batch(0, 3, RENEW, ACCEPT, RENEW, RELEASE)));
        a.say("without a word before", said(0, batch(0, 0, RENEW)));
        a.fetch("by a fetch", Wish.NOTHING, said(0, batch(0, 0, RENEW)));
        a.fetch("nothing by a fetch", Wish.NOTHING);
        for (Wish wish : List.of(new Wish(1, 1, 1, 1, 1, 0, true), new Wish(0, 0, 0, 1, 0, 0, true), new Wish(-1, 0, 0, 0, 9, 1, true))) {
            a.fetch("with " + wish, wish, said(0, batch(0, 0, RENEW)));
            a.epoch--;
        }
        a.stored("renewed", 0);
        config(suite, "renewals", "share.renew.acknowledge.enable=false");
        a.say("it is not allowed", true, said(0, batch(0, 0, RENEW)));
        a.say("what is not renewed", true, said(0, batch(0, 0, ACCEPT)));
        config(suite, "renewals", "share.record.lock.duration.ms=20000");
        a.say("for as long as the group says", said(0, batch(4, 4, ACCEPT)));
        a.fetch("for as long as the group says", Wish.SHORT);
    }

    /** Where a group is known, and where not. */
    private void places(Suite suite) throws Exception {
        Member a = new Member(suite, "unknown", "a", "share-fetch");
        a.fetch("never initialised", Wish.SHORT, said(0), said(1));
        a.fetch("never initialised, again", Wish.SHORT);
        a.say("of what is not served", said(0, batch(0, 0, ACCEPT)));
        begin(suite, "behind", 0, 1_000, 1);
        loaded(suite, "behind", 0);
        Member b = new Member(suite, "behind", "b", "share-fetch");
        b.fetch("it begins behind the end", Wish.SHORT, said(0));
        begin(suite, "fenced", 0);
        Member c = new Member(suite, "fenced", "c", "share-fetch");
        c.fetch("all", Wish.ANY, said(0));
        begin(suite, "fenced", 0, 4, 5);
        c.say("begun anew meanwhile", said(0, batch(0, 0, ACCEPT)));
        c.say("it is gone", said(0, batch(0, 0, ACCEPT)));
        c.fetch("where it begins now", Wish.ANY);
        c.say("of that", said(0, batch(4, 4, ACCEPT)));
        c.stored("of that", 0);
        for (String batches : List.of("6,7,2,1", "5,5,0,3", "5,6,0,4", "9,9,4,1")) {
            String group = "stored-" + batches;
            begin(suite, group, 0, 5, 1);
            suite.prepare(peer -> peer.ask(ApiMessageType.WRITE_SHARE_GROUP_STATE, 1, written(peer, group, batches)));
            loaded(suite, group, 0);
            Member d = new Member(suite, group, "d", "share-fetch");
            d.fetch("the first", Wish.SHORT, said(0));
            d.fetch("the second", Wish.SHORT);
            d.epoch = -1;
            d.say("the end", new String[0]);
            d.stored("the end", 0);
        }
    }

    private void beginnings(Suite suite) throws Exception {
        for (String reset : List.of("latest", "earliest", "by_duration:P10000D", "by_duration:PT1S")) {
            String group = "begins-" + reset;
            begin(suite, group, 0, -1, 1);
            config(suite, group, "share.auto.offset.reset=" + reset);
            loaded(suite, group, 0);
            Member a = new Member(suite, group, "a", "share-fetch");
            a.fetch("the first", Wish.SHORT.records(1, 0), said(0));
            a.fetch("more", Wish.SHORT.records(1, 0));
        }
    }

    /** Last: it takes all sessions that there may be. */
    private void tooMany(Suite suite) throws Exception {
        for (int i = 0; i < 220; i++) {
            String member = "\"many-" + i + "\"";
            suite.prepare(peer -> peer.ask(FETCH, 2, fetchBody("\"many\"", member, 0, Wish.SHORT, "", "")));
        }
        suite.same("more sessions than there may be", FETCH, 2, peer -> fetchBody("\"many\"", "\"one more\"", 0, Wish.SHORT, "", ""));
        suite.same("no session", FETCH, 2, peer -> fetchBody("\"many\"", "\"one more\"", 1, Wish.SHORT, "", ""));
    }

    private static void config(Suite suite, String group, String config) throws Exception {
        String[] pair = config.split("=", 2);
        suite.prepare(peer -> {
            ObjectNode answer = peer.ask(ApiMessageType.INCREMENTAL_ALTER_CONFIGS, 1, """
                {"resources":[{"resourceType":32,"resourceName":"%s","configs":[{"name":"%s","configOperation":0,"value":"%s"}]}],"validateOnly":false}""".formatted(group, pair[0], pair[1]));
            Thread.sleep(300);
            return answer;
        });
    }

    private static void begin(Suite suite, String group, int partition) throws Exception {
        begin(suite, group, partition, 0, 1);
        loaded(suite, group, partition);
    }

    /** Waits until the share partition is loaded, so that no answer depends on when it is: nothing is acquired by a fetch of -1 records. */
    private static void loaded(Suite suite, String group, int partition) throws Exception {
        suite.prepare(peer -> {
            Wish none = new Wish(500, 1, 1 << 20, -1, 1, 0, false);
            for (int tries = 0; tries < Suite.PATIENCE; tries++) {
                ObjectNode answer = peer.ask(FETCH, 2, fetchBody(quoted(group), "\"loads\"", 0, none, topic(peer.id("share-fetch"), said(partition)), ""));
                if (!answer.get("responses").isEmpty()) {
                    return peer.ask(FETCH, 2, fetchBody(quoted(group), "\"loads\"", -1, none, "", ""));
                }
            }
            throw new IllegalStateException(peer.name + " does not load " + group);
        });
    }

    private static void begin(Suite suite, String group, int partition, long start, int stateEpoch) throws Exception {
        suite.prepare(peer -> {
            String key = "{\"key\":\"\",\"keyType\":2,\"coordinatorKeys\":[\"%s:%s:%d\"]}".formatted(group, peer.id("share-fetch"), partition);
            String body = "{\"groupId\":\"%s\",\"topics\":[{\"topicId\":\"%s\",\"partitions\":[{\"partition\":%d,\"stateEpoch\":%d,\"startOffset\":%d}]}]}"
                .formatted(group, peer.id("share-fetch"), partition, stateEpoch, start);
            for (int tries = 0; tries < Suite.PATIENCE; tries++) {
                peer.ask(ApiMessageType.FIND_COORDINATOR, 6, key);
                ObjectNode answer = peer.ask(ApiMessageType.INITIALIZE_SHARE_GROUP_STATE, 0, body);
                if (answer.has("results") && answer.get("results").get(0).get("partitions").get(0).get("errorCode").intValue() == 0) {
                    return answer;
                }
                Thread.sleep(20);
            }
            throw new IllegalStateException(peer.name + " does not begin with " + group);
        });
    }

    private static String state(Peer peer, String group, String topic, int partition) {
        return "{\"groupId\":\"%s\",\"topics\":[{\"topicId\":\"%s\",\"partitions\":[{\"partition\":%d,\"leaderEpoch\":-1}]}]}".formatted(group, peer.id(topic), partition);
    }

    private static String written(Peer peer, String group, String batch) {
        String[] of = batch.split(",");
        return """
            {"groupId":"%s","topics":[{"topicId":"%s","partitions":[{"partition":0,"stateEpoch":1,"leaderEpoch":-1,"startOffset":-1,"deliveryCompleteCount":0,
             "stateBatches":[{"firstOffset":%s,"lastOffset":%s,"deliveryState":%s,"deliveryCount":%s}]}]}]}""".formatted(group, peer.id("share-fetch"), of[0], of[1], of[2], of[3]);
    }

    private static String quoted(String text) {
        return "\"" + text + "\"";
    }

    /** One kind for all, or one for each. */
    private static String batch(long first, long last, int... kinds) {
        List<String> list = new ArrayList<>();
        for (int kind : kinds) {
            list.add(Integer.toString(kind));
        }
        return "{\"firstOffset\":%d,\"lastOffset\":%d,\"acknowledgeTypes\":[%s]}".formatted(first, last, String.join(",", list));
    }

    private static String said(int partition, String... batches) {
        return "{\"partitionIndex\":%d,\"acknowledgementBatches\":[%s]}".formatted(partition, String.join(",", batches));
    }

    private static String topic(String id, String... partitions) {
        StringJoiner list = new StringJoiner(",");
        for (String partition : partitions) {
            list.add(partition);
        }
        return partitions.length == 0 ? "" : "{\"topicId\":\"%s\",\"partitions\":[%s]}".formatted(id, list);
    }

    private static String fetchBody(String group, String member, int epoch, Wish wish, String topics, String forgotten) {
        return """
            {"groupId":%s,"memberId":%s,"shareSessionEpoch":%d,"maxWaitMs":%d,"minBytes":%d,"maxBytes":%d,"maxRecords":%d,"batchSize":%d,"shareAcquireMode":%d,"isRenewAck":%s,
             "topics":[%s],"forgottenTopicsData":[%s]}""".formatted(group, member, epoch, wish.waitMs, wish.minBytes, wish.maxBytes, wish.maxRecords, wish.batchSize, wish.mode, wish.renews, topics, forgotten);
    }

    private static String sayBody(String group, String member, int epoch, boolean renews, String topics) {
        return "{\"groupId\":%s,\"memberId\":%s,\"shareSessionEpoch\":%d,\"isRenewAck\":%s,\"topics\":[%s]}".formatted(group, member, epoch, renews, topics);
    }
}
