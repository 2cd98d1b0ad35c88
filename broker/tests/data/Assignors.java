import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

/**
 * What Kafka's assignors make of groups that change: {@code assignors.txt} is its output.
 *
 * <pre>java -cp "$(scripts/kafka libs)/*" broker/tests/data/Assignors.java > broker/tests/data/assignors.txt</pre>
 *
 * A line is a step: assignor, members with the topics that they read, partitions of the topics, and behind the arrow who gets what. Each
 * begins with what the one before has given; an empty line begins anew. Members have one letter and topics small numbers, so that
 * Kafka's hash maps keep them in their order.
 */
public class Assignors {
    public static void main(String[] args) {
        Random random = new Random(848);
        for (int scenario = 0; scenario < 120; scenario++) {
            boolean range = scenario % 3 == 0;
            boolean same = random.nextBoolean();
            Map<String, Map<Uuid, Set<Integer>>> has = new TreeMap<>();
            Map<Uuid, Integer> partitions = new TreeMap<>();
            for (int topic = 1; topic <= 3; topic++) {
                partitions.put(new Uuid(0, topic), 1 + random.nextInt(7));
            }
            for (int step = 0; step < 4; step++) {
                int count = 1 + random.nextInt(6);
                Map<String, Set<Uuid>> reads = new TreeMap<>();
                int all = 1 + random.nextInt(7);
                for (int member = 0; member < count; member++) {
                    reads.put(String.valueOf((char) ('a' + member)), topics(same ? all : random.nextInt(8)));
                }
                if (random.nextInt(3) == 0) {
                    partitions.merge(new Uuid(0, 1 + random.nextInt(3)), 1, Integer::sum);
                }
                has.keySet().retainAll(reads.keySet());
                has = assign(range ? new RangeAssignor() : new UniformAssignor(), reads, has, partitions);
            }
            System.out.println();
        }
    }

    private static Set<Uuid> topics(int mask) {
        Set<Uuid> topics = new TreeSet<>();
        for (int topic = 1; topic <= 3; topic++) {
            if ((mask & 1 << topic - 1) != 0) {
                topics.add(new Uuid(0, topic));
            }
        }
        return topics;
    }

    private static Map<String, Map<Uuid, Set<Integer>>> assign(ConsumerGroupPartitionAssignor assignor, Map<String, Set<Uuid>> reads,
            Map<String, Map<Uuid, Set<Integer>>> has, Map<Uuid, Integer> partitions) {
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new TreeMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        reads.forEach((member, topics) -> {
            Map<Uuid, Set<Integer>> own = has.getOrDefault(member, Map.of());
            own.forEach((topic, set) -> set.forEach(p -> owners.computeIfAbsent(topic, t -> new HashMap<>()).put(p, member)));
            members.put(member, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.empty(), topics, new Assignment(own)));
        });
        SubscriptionType type = new HashSet<>(reads.values()).size() == 1 ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        SubscribedTopicDescriber topics = new SubscribedTopicDescriber() {
            @Override
            public int numPartitions(Uuid topic) {
                return partitions.getOrDefault(topic, -1);
            }

            @Override
            public Set<String> racksForPartition(Uuid topic, int partition) {
                return Set.of();
            }
        };
        Map<String, MemberAssignment> targets = assignor.assign(new GroupSpecImpl(members, type, owners, Optional.empty()), topics).members();
        List<String> who = new ArrayList<>();
        List<String> gets = new ArrayList<>();
        Map<String, Map<Uuid, Set<Integer>>> result = new TreeMap<>();
        reads.forEach((member, read) -> {
            List<String> numbers = new ArrayList<>();
            read.forEach(topic -> numbers.add(number(topic)));
            who.add(member + "=" + String.join(",", numbers));
            Map<Uuid, Set<Integer>> target = targets.containsKey(member) ? targets.get(member).partitions() : Map.of();
            Map<Uuid, Set<Integer>> copy = new TreeMap<>();
            target.forEach((topic, set) -> copy.put(topic, new TreeSet<>(set)));
            List<String> own = new ArrayList<>();
            copy.forEach((topic, set) -> own.add(number(topic) + "/" + String.join(",", set.stream().map(String::valueOf).toList())));
            gets.add(member + "=" + String.join("+", own));
            result.put(member, copy);
        });
        List<String> sizes = new ArrayList<>();
        partitions.forEach((topic, size) -> sizes.add(number(topic) + ":" + size));
        System.out.println(assignor.name() + " " + String.join(";", who) + " " + String.join(",", sizes) + " -> " + String.join(" ", gets));
        return result;
    }

    private static String number(Uuid topic) {
        return String.valueOf(topic.getLeastSignificantBits());
    }
}
