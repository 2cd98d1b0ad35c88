import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

/**
 * What the broker gives to the share consumers of this JVM, whether or not their applications ever see it: a KafkaShareConsumer keeps what it
 * has received until a poll hands it out, for as long as that takes, and tells nobody meanwhile. Its log does, at the level DEBUG, and is
 * read here: when each ShareFetch was made, and which records its answer says are acquired. The words are those of Kafka's clients 4.3.1.
 */
class Received extends AbstractAppender {
    private static final String CLIENTS = "org.apache.kafka.clients.consumer.internals.";
    private static final Pattern CLIENT = Pattern.compile("clientId=([^,\\]]+)");
    private static final Pattern PARTITION = Pattern.compile("ShareFetch for partition [^: ]+:(\\S+)-(\\d+) returned fetch data ");
    private static final Pattern ACQUIRED = Pattern.compile("AcquiredRecords\\(firstOffset=(\\d+), lastOffset=(\\d+), deliveryCount=(\\d+)\\)");

    private final Consumer<String> told;
    /** By client: when the fetch was made that is on its way. There is one broker, so it is one at a time. */
    private final Map<String, Long> made = new ConcurrentHashMap<>();

    private Received(Consumer<String> told) {
        super("received", null, null, false, Property.EMPTY_ARRAY);
        this.told = told;
    }

    /** Tells from now on lines as scripts/lib/shares.py has them, on the thread of the client's network, before the application can have the records. */
    static void tell(Consumer<String> told) {
        Received received = new Received(told);
        received.start();
        LoggerContext context = (LoggerContext) LogManager.getContext(false);
        for (String name : new String[] {"ShareSessionHandler", "ShareConsumeRequestManager"}) {
            LoggerConfig logger = new LoggerConfig(CLIENTS + name, Level.DEBUG, false);
            logger.addAppender(received, Level.DEBUG, null);
            context.getConfiguration().addLogger(CLIENTS + name, logger);
        }
        context.updateLoggers();
    }

    @Override
    public void append(LogEvent event) {
        String text = event.getMessage().getFormattedMessage();
        boolean makes = text.contains("Build ShareFetch "), gets = text.contains(" returned fetch data ");
        if (!makes && !gets) return;
        long now = System.nanoTime();
        String client = found(CLIENT, text).group(1);
        if (makes) {
            made.put(client, now);
            return;
        }
        Matcher partition = found(PARTITION, text), acquired = ACQUIRED.matcher(text);
        StringBuilder lines = new StringBuilder();
        while (acquired.find())
            lines.append("G ").append(now).append(' ').append(client).append(' ').append(partition.group(1)).append(' ').append(partition.group(2)).append(' ')
                .append(acquired.group(1)).append(' ').append(acquired.group(2)).append(' ').append(acquired.group(3)).append(' ').append(made.get(client)).append('\n');
        if (!lines.isEmpty()) told.accept(lines.toString());
    }

    private static Matcher found(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.find()) throw new IllegalStateException("the client's log has other words: " + text);
        return matcher;
    }
}
