// Prints what a broker says of its configuration and of two topics that it creates: `java -cp 'LIB/*' Describe.java localhost:9092 key=value ...`.
// One key a line: resource, name, key, value, source, read-only, sensitive, type, documented, synonyms.
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;

public class Describe {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> overrides = new TreeMap<>();
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            overrides.put(pair[0], pair[1]);
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            short one = 1;
            var created = admin.createTopics(List.of(new NewTopic("t", 2, one).configs(overrides), new NewTopic("plain", 1, one)));
            created.all().get();
            print("created", "t", created.config("t").get());
            Thread.sleep(1000);
            List<ConfigResource> resources = new ArrayList<>();
            for (String topic : List.of("t", "plain")) resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic));
            for (String broker : List.of("1", "")) resources.add(new ConfigResource(ConfigResource.Type.BROKER, broker));
            var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
            for (ConfigResource resource : resources) {
                Config config = admin.describeConfigs(List.of(resource), options).all().get().get(resource);
                print(resource.type().name().toLowerCase(), resource.name(), config);
            }
        }
    }

    static void print(String resource, String name, Config config) {
        var entries = config.entries().stream().sorted(Comparator.comparing(ConfigEntry::name)).toList();
        for (ConfigEntry entry : entries) System.out.println(resource + "\t" + name + "\t" + line(entry));
    }

    static String line(ConfigEntry entry) {
        String synonyms = entry.synonyms().stream()
            .map(synonym -> synonym.name() + "=" + synonym.value() + "@" + source(synonym.source()))
            .collect(Collectors.joining(" "));
        return String.join("\t", entry.name(), String.valueOf(entry.value()), String.valueOf(source(entry.source())),
            entry.isReadOnly() ? "read-only" : "dynamic", entry.isSensitive() ? "sensitive" : "open",
            String.valueOf(entry.type()), entry.documentation() == null ? "undocumented" : "documented", synonyms);
    }

    static int source(ConfigEntry.ConfigSource source) {
        return switch (source) {
            case DYNAMIC_TOPIC_CONFIG -> 1;
            case DYNAMIC_BROKER_CONFIG -> 2;
            case DYNAMIC_DEFAULT_BROKER_CONFIG -> 3;
            case STATIC_BROKER_CONFIG -> 4;
            case DEFAULT_CONFIG -> 5;
            case DYNAMIC_BROKER_LOGGER_CONFIG -> 6;
            default -> 0;
        };
    }
}
