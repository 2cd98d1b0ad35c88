//! DescribeConfigs' answers and refusals, those that Kafka 4.3.1 gave to the same requests.

use super::answer;
use crate::config::{Config, Invocation, load};
use crate::metadata::Image;
use crate::metadata::records::{ConfigRecord, Record, TopicRecord};
use net::wire::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn config() -> Config {
    load(&Invocation::default()).expect("defaults are right").config
}

/// Topic `plain`, and a topic `own` with an override.
fn image() -> Image {
    let mut image = Image::of_cluster("4L6g3nShT-eMCtK--X86sw");
    for (number, name) in [(5, "plain"), (6, "own")] {
        let topic = TopicRecord { name: name.into(), topic_id: uuid::Uuid::from_u128(number) };
        image.apply(&Record::Topic(topic)).expect("applied");
    }
    let config = ConfigRecord {
        resource_type: TOPIC,
        resource_name: "own".into(),
        name: "retention.ms".into(),
        value: Some("1000".into()),
    };
    image.apply(&Record::Config(config)).expect("applied");
    image
}

fn describe(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
        }],
        include_synonyms: true,
        include_documentation: false,
    };
    let mut results = answer(&config(), &image(), &request, |_| true).results;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

#[track_caller]
fn check_refused(resource_type: i8, name: &str, code: i16, text: &str) {
    let result = describe(resource_type, name, None);
    assert_eq!(result.error_code.0, code);
    assert_eq!(result.error_message.as_deref(), Some(text));
    assert_eq!((result.resource_type, &*result.resource_name), (resource_type, name));
    assert!(result.configs.is_empty());
}

#[test]
fn refusals_are_kafkas() {
    let malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent to an \
                     incompatible broker. See the broker logs for more details.";
    check_refused(TOPIC, "nosuch", 3, "");
    check_refused(TOPIC, "", 17, "Topic name is invalid: the empty string is not allowed");
    check_refused(TOPIC, "..", 17, "Topic name is invalid: '..' is not allowed");
    check_refused(
        TOPIC,
        "a b",
        17,
        "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    );
    let long = "x".repeat(250);
    let text = format!(
        "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
    );
    check_refused(TOPIC, &long, 17, &text);
    check_refused(
        BROKER,
        "7",
        42,
        "Unexpected broker id, expected 1 or empty string, but received 7",
    );
    check_refused(BROKER, "one", 42, "Broker id must be an integer, but it is: one");
    check_refused(8, "", 42, "Broker id must not be empty");
    check_refused(8, "7", 42, "Unexpected broker id, expected 1 but received 7");
    check_refused(16, "", 42, "Client metrics subscription name must not be empty");
    check_refused(32, "", 42, "Group name must not be empty");
    check_refused(3, "weird", 42, malformed);
    check_refused(0, "z", 42, malformed);
}

#[test]
fn keys_filter_and_unknown_ones_are_left_out() {
    for (keys, count) in [
        (None, 33),
        (Some(&[][..]), 33),
        (Some(&["retention.ms", "nope"][..]), 1),
        (Some(&["nope"][..]), 0),
    ] {
        let result = describe(TOPIC, "plain", keys);
        assert_eq!((result.error_code.0, result.configs.len()), (0, count), "{keys:?}");
        assert_eq!(result.error_message.as_deref(), Some(""));
    }
}

#[test]
fn a_topics_override_and_the_brokers_default() {
    for (topic, value, source, synonyms) in [("own", "1000", 1, 1), ("plain", "604800000", 5, 0)] {
        let result = describe(TOPIC, topic, Some(&["retention.ms"]));
        let entry = &result.configs[0];
        assert_eq!((entry.value.as_deref(), entry.config_source), (Some(value), source));
        assert_eq!(
            (entry.synonyms.len(), entry.config_type, entry.read_only),
            (synonyms, 5, false)
        );
    }
}

#[test]
fn every_key_of_this_broker_ours_included() {
    let result = describe(BROKER, "1", None);
    let find = |name: &str| result.configs.iter().find(|entry| entry.name == name).expect("there");
    assert_eq!(find("odradek.durability").value.as_deref(), Some("sync"));
    assert_eq!(find("listeners").value.as_deref(), Some("PLAINTEXT://127.0.0.1:9092"));
    assert!(find("node.id").read_only && !find("log.retention.ms").read_only);
    assert!(find("ssl.keystore.password").is_sensitive);
    assert!(describe(BROKER, "", None).configs.is_empty());
    assert_eq!(describe(8, "1", None).configs[0].name, "root");
}

#[test]
fn documentation_and_synonyms_only_if_asked_for() {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: "own".into(),
        configuration_keys: None,
    };
    for asked in [false, true] {
        let request = DescribeConfigsRequest {
            resources: vec![resource.clone()],
            include_synonyms: asked,
            include_documentation: asked,
        };
        let response = answer(&config(), &image(), &request, |_| true);
        let entries = &response.results[0].configs;
        assert!(entries.iter().all(|entry| entry.documentation.is_some() == asked));
        assert_eq!(entries.iter().any(|entry| !entry.synonyms.is_empty()), asked);
    }
}

#[test]
fn who_may_not_is_told_so() {
    let resource = |resource_type, name: &str| DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource(TOPIC, "own"), resource(BROKER, "1")],
        include_synonyms: false,
        include_documentation: false,
    };
    let response = answer(&config(), &image(), &request, |_| false);
    let codes: Vec<i16> = response.results.iter().map(|result| result.error_code.0).collect();
    assert_eq!(codes, [29, 31]);
    assert!(response.results.iter().all(|result| result.configs.is_empty()));
}
