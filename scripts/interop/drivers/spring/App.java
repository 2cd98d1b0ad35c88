package odradek;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.AbstractConsumerSeekAware;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;
import org.springframework.kafka.support.Acknowledgment;
import org.springframework.kafka.support.SendResult;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.stereotype.Component;
import org.springframework.util.backoff.FixedBackOff;

/**
 * A Spring Boot application with listeners, as its users write it. `App ADDRESS` prints what happens, one line each, and does what stdin says:
 *
 *     send TOPIC FIRST LAST [PREFIX]    values FIRST..LAST-1, the keys their remainders by 7       sent TOPIC PARTITION OFFSET VALUE
 *     ask WORD                 a request to the listener of `questions`                   answered WORD ANSWER
 *     seek                     the listener of `orders` goes back to the beginning
 *
 * The listeners print `got TOPIC PARTITION OFFSET KEY VALUE HEADER`, for a batch `batch TOPIC VALUE,VALUE,..`; a value that begins with `bad` is
 * refused (`refused VALUE`), tried three times, and goes to `orders-dlt`, whose listener prints `dead PARTITION OFFSET VALUE ORIGINAL-TOPIC`.
 */
@SpringBootApplication
public class App {
    public static void main(String[] args) {
        SpringApplication app = new SpringApplication(App.class);
        app.setDefaultProperties(Map.ofEntries(
            Map.entry("spring.kafka.bootstrap-servers", args[0]), Map.entry("spring.main.banner-mode", "off"), Map.entry("logging.level.root", "warn"),
            Map.entry("spring.kafka.consumer.auto-offset-reset", "earliest"), Map.entry("spring.kafka.listener.ack-mode", "manual"),
            Map.entry("spring.kafka.consumer.properties.session.timeout.ms", "6000"), Map.entry("spring.kafka.consumer.properties.heartbeat.interval.ms", "300"),
            Map.entry("spring.kafka.consumer.properties.fetch.max.wait.ms", "100"), Map.entry("spring.kafka.producer.compression-type", "lz4"),
            Map.entry("spring.kafka.listener.missing-topics-fatal", "true"), Map.entry("spring.kafka.consumer.properties.metadata.max.age.ms", "1000")));
        ConfigurableApplicationContext context = app.run(args);
        say("ready");
        @SuppressWarnings("unchecked")
        KafkaTemplate<String, String> template = context.getBean("template", KafkaTemplate.class);
        @SuppressWarnings("unchecked")
        ReplyingKafkaTemplate<String, String, String> asking = context.getBean(ReplyingKafkaTemplate.class);
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            String[] words = in.nextLine().split(" ");
            try {
                switch (words[0]) {
                    case "send" -> send(template, words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), words.length > 4 ? words[4] : "");
                    case "ask" -> say("answered " + words[1] + " " + asking.sendAndReceive(new ProducerRecord<>("questions", words[1]), Duration.ofSeconds(30)).get().value());
                    case "seek" -> context.getBean(Orders.class).seekToBeginning();
                }
            } catch (Exception error) {
                say("failed " + error);
            }
        }
        context.close();
        say("closed");
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static void send(KafkaTemplate<String, String> template, String topic, int first, int last, String prefix) throws Exception {
        List<CompletableFuture<SendResult<String, String>>> sent = new ArrayList<>();
        for (int n = first; n < last; n++) {
            ProducerRecord<String, String> record = new ProducerRecord<>(topic, "" + n % 7, prefix + n);
            record.headers().add("number", ("" + n).getBytes(StandardCharsets.UTF_8));
            sent.add(template.send(record));
        }
        for (var one : sent) {
            var metadata = one.get().getRecordMetadata();
            say("sent " + topic + " " + metadata.partition() + " " + metadata.offset() + " " + one.get().getProducerRecord().value());
        }
    }

    // KafkaAdmin creates them when the application starts.
    @Bean
    NewTopic orders() {
        return TopicBuilder.name("orders").partitions(3).config("retention.ms", "7200000").build();
    }

    @Bean
    NewTopic deadOrders() {
        return TopicBuilder.name("orders-dlt").partitions(3).build();
    }

    @Bean
    NewTopic batches() {
        return TopicBuilder.name("batches").build();
    }

    @Bean
    NewTopic questions() {
        return TopicBuilder.name("questions").partitions(2).build();
    }

    @Bean
    NewTopic answers() {
        return TopicBuilder.name("answers").build();
    }

    @Bean
    KafkaTemplate<String, String> template(ProducerFactory<String, String> producers) {
        return new KafkaTemplate<>(producers);
    }

    @Bean
    DefaultErrorHandler errors(KafkaTemplate<String, String> template) {
        return new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template), new FixedBackOff(10, 2));
    }

    @Bean
    ReplyingKafkaTemplate<String, String, String> replying(ProducerFactory<String, String> producers, ConcurrentMessageListenerContainer<String, String> replies) {
        ReplyingKafkaTemplate<String, String, String> replying = new ReplyingKafkaTemplate<>(producers, replies);
        replying.setSharedReplyTopic(true);
        return replying;
    }

    @Bean
    ConcurrentMessageListenerContainer<String, String> replies(org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory<String, String> factory,
                                                               KafkaTemplate<String, String> template) {
        factory.setReplyTemplate(template);
        ConcurrentMessageListenerContainer<String, String> container = factory.createContainer("answers");
        container.getContainerProperties().setGroupId("askers-" + ProcessHandle.current().pid());
        container.getContainerProperties().setAckMode(ContainerProperties.AckMode.BATCH);
        container.setAutoStartup(false);
        return container;
    }

    @Component
    static class Orders extends AbstractConsumerSeekAware {
        @KafkaListener(topics = "orders", groupId = "clerks", concurrency = "3")
        void order(ConsumerRecord<String, String> record, Acknowledgment done) {
            if (record.value().startsWith("bad")) {
                say("refused " + record.value());
                throw new IllegalStateException("refused " + record.value());
            }
            Header number = record.headers().lastHeader("number");
            say("got orders " + record.partition() + " " + record.offset() + " " + record.key() + " " + record.value() + " " + new String(number.value(), StandardCharsets.UTF_8));
            done.acknowledge();
        }

        @Override
        public void onPartitionsAssigned(Map<TopicPartition, Long> assignments, ConsumerSeekCallback callback) {
            super.onPartitionsAssigned(assignments, callback);
            assignments.keySet().forEach(p -> say("assigned " + p));
        }

        @Override
        public void onPartitionsRevoked(java.util.Collection<TopicPartition> partitions) {
            super.onPartitionsRevoked(partitions);
            partitions.forEach(p -> say("revoked " + p));
        }
    }

    @KafkaListener(topics = "orders-dlt", groupId = "undertakers")
    void dead(ConsumerRecord<String, String> record, Acknowledgment done) {
        String original = new String(record.headers().lastHeader("kafka_dlt-original-topic").value(), StandardCharsets.UTF_8);
        say("dead " + record.partition() + " " + record.offset() + " " + record.value() + " " + original);
        done.acknowledge();
    }

    @KafkaListener(topics = "batches", groupId = "batchers", batch = "true")
    void batch(List<ConsumerRecord<String, String>> records, Acknowledgment done) {
        say("batch batches " + String.join(",", records.stream().map(ConsumerRecord::value).toList()));
        done.acknowledge();
    }

    @KafkaListener(topics = "questions", groupId = "oracles", ackMode = "BATCH")
    @SendTo
    String answer(String question) {
        return question.toUpperCase();
    }
}
