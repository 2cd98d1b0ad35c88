// Kafka's AdminClient moves a replica to another log directory and waits until it is there; prints the error's class if it is refused.
//
//   java -cp 'LIBS/*' MoveLogDirs.java ADDRESS TOPIC PARTITION PATH
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.TopicPartitionReplica;

public class MoveLogDirs {
    public static void main(String[] args) throws Exception {
        TopicPartitionReplica replica = new TopicPartitionReplica(args[1], Integer.parseInt(args[2]), 1);
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
            try {
                admin.alterReplicaLogDirs(Map.of(replica, args[3])).all().get();
            } catch (java.util.concurrent.ExecutionException error) {
                System.out.println("refused " + error.getCause().getClass().getSimpleName());
                return;
            }
            for (int i = 0; i < 600; i++) {
                var found = admin.describeReplicaLogDirs(Set.of(replica)).all().get().get(replica);
                if (args[3].equals(found.getCurrentReplicaLogDir()) && found.getFutureReplicaLogDir() == null) {
                    System.out.println("moved");
                    return;
                }
                Thread.sleep(50);
            }
            System.out.println("not moved");
        }
    }
}
