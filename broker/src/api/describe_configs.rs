//! DescribeConfigs, key 32, versions 1-4: what is configured for topics and brokers, and where it comes from.
//!
//! - A topic: every key, its own overrides over the brokers' over the defaults.
//! - A broker by its id: this one only; another id is refused, because a client asks each broker for its own. With an empty name: what
//!   is set for all brokers in the metadata log.
//! - A broker's loggers: `root` and our crates, with the levels of this process.
//! - Client metrics and groups: every key, whether there is such a subscription or group or not.
//! - Keys null or empty ask for all; a key that is not known is left out.
//! - Passwords and keys of unknown type come back as null.
//!
//! 1: synonyms (KIP-226). 3: documentation and types (KIP-569). 4: flexible.

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::{Context, Operation, Resource};
use crate::config::Config;
use crate::config::describe::{self, Described};
use crate::config::topic::Overrides;
use crate::log_levels;
use crate::metadata::Image;
use crate::metadata::image::ConfigResource;
use crate::topic_name;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
/// Kafka's text of INVALID_REQUEST.
const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                         message was sent to an incompatible broker. See the broker logs for more details.";
/// The source of a logger's level.
const SOURCE_LOGGER: i8 = 6;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let image = cx.shard.image();
    let allowed = |resource: &DescribeConfigsResource| match resource.resource_type {
        TOPIC => cx.authorize(Operation::DescribeConfigs, Resource::Topic(&resource.resource_name)),
        _ => cx.authorize(Operation::DescribeConfigs, Resource::Cluster),
    };
    answer(&cx.shard.in_force(), &image, &request, allowed)
}

/// The whole answer, from what is configured; `config` is what is in force.
pub(crate) fn answer(
    config: &Config,
    image: &Image,
    request: &DescribeConfigsRequest,
    allowed: impl Fn(&DescribeConfigsResource) -> bool,
) -> DescribeConfigsResponse {
    let unexpected =
        request.resources.iter().find(|resource| type_name(resource.resource_type).is_none());
    if let Some(unexpected) = unexpected {
        // Kafka fails the whole request then, without saying which resource it was.
        tracing::debug!(
            resource_type = unexpected.resource_type,
            "DescribeConfigs of an unknown resource type"
        );
        let refused =
            |resource| result(resource, Err((ErrorCode::INVALID_REQUEST, MALFORMED.to_owned())));
        return DescribeConfigsResponse {
            throttle_time_ms: 0,
            results: request.resources.iter().map(refused).collect(),
        };
    }
    let (allowed, denied): (Vec<_>, Vec<_>) =
        request.resources.iter().partition(|resource| allowed(resource));
    let described = allowed.into_iter().map(|resource| {
        let entries =
            entries(config, image, resource).map(|entries| shown(request, resource, entries));
        result(resource, entries)
    });
    let denied =
        denied.into_iter().map(|resource| result(resource, Err(denial(resource.resource_type))));
    DescribeConfigsResponse { throttle_time_ms: 0, results: described.chain(denied).collect() }
}

type Refusal = (ErrorCode, String);

fn type_name(resource_type: i8) -> Option<&'static str> {
    match resource_type {
        TOPIC => Some("TOPIC"),
        BROKER => Some("BROKER"),
        BROKER_LOGGER => Some("BROKER_LOGGER"),
        CLIENT_METRICS => Some("CLIENT_METRICS"),
        GROUP => Some("GROUP"),
        _ => None,
    }
}

fn denial(resource_type: i8) -> Refusal {
    match resource_type {
        TOPIC => (ErrorCode::TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.".to_owned()),
        GROUP => (ErrorCode::GROUP_AUTHORIZATION_FAILED, "Group authorization failed.".to_owned()),
        _ => (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.".to_owned()),
    }
}

/// What a resource has, before the request's filter.
enum Entries {
    Keys(Vec<Described>),
    /// Names and levels.
    Loggers(Vec<(&'static str, &'static str)>),
}

fn entries(
    config: &Config,
    image: &Image,
    resource: &DescribeConfigsResource,
) -> Result<Entries, Refusal> {
    let name = &*resource.resource_name;
    let invalid = |text: String| Err((ErrorCode::INVALID_REQUEST, text));
    let settings = &config.settings;
    let none = Overrides::new();
    let resource_overrides = || {
        let resource =
            ConfigResource { kind: resource.resource_type, name: resource.resource_name.clone() };
        image.overrides(&resource).map_or(&none, |overrides| &**overrides)
    };
    match resource.resource_type {
        TOPIC => {
            topic_name::check(name).map_err(|text| (ErrorCode::INVALID_TOPIC_EXCEPTION, text))?;
            if image.topic_by_name(name).is_none() {
                return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()));
            }
            Ok(Entries::Keys(describe::topic(settings, resource_overrides())))
        }
        BROKER if name.is_empty() => Ok(Entries::Keys(describe::brokers_default(settings))),
        BROKER => match broker_id(name)? == config.node_id() {
            true => Ok(Entries::Keys(describe::broker(settings))),
            false => invalid(format!(
                "Unexpected broker id, expected {} or empty string, but received {name}",
                config.node_id()
            )),
        },
        BROKER_LOGGER if name.is_empty() => invalid("Broker id must not be empty".into()),
        BROKER_LOGGER => match broker_id(name)? == config.node_id() {
            true => Ok(Entries::Loggers(log_levels::all())),
            false => invalid(format!(
                "Unexpected broker id, expected {} but received {name}",
                config.node_id()
            )),
        },
        CLIENT_METRICS if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty".into())
        }
        CLIENT_METRICS => Ok(Entries::Keys(describe::client_metrics(resource_overrides()))),
        GROUP if name.is_empty() => invalid("Group name must not be empty".into()),
        GROUP => Ok(Entries::Keys(describe::group(settings, resource_overrides()))),
        other => invalid(format!("Unsupported resource type: {other}")),
    }
}

fn broker_id(name: &str) -> Result<i32, Refusal> {
    let not_a_number = |_| {
        (ErrorCode::INVALID_REQUEST, format!("Broker id must be an integer, but it is: {name}"))
    };
    name.parse().map_err(not_a_number)
}

/// The keys that were asked for, in the answer's form.
fn shown(
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    entries: Entries,
) -> Vec<DescribeConfigsResourceResult> {
    let asked = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
    let wanted = |name: &str| asked.is_none_or(|keys| keys.iter().any(|key| **key == *name));
    match entries {
        Entries::Keys(keys) => keys
            .into_iter()
            .filter(|key| wanted(&key.name))
            .map(|key| entry(request, key))
            .collect(),
        Entries::Loggers(levels) => {
            levels.into_iter().filter(|(name, _)| wanted(name)).map(logger).collect()
        }
    }
}

fn entry(request: &DescribeConfigsRequest, key: Described) -> DescribeConfigsResourceResult {
    let synonym = |synonym: describe::Synonym| DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: synonym.value.map(ByteString::from),
        source: synonym.source as i8,
    };
    let synonyms = if request.include_synonyms { key.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: key.name.into(),
        value: key.value.map(ByteString::from),
        read_only: key.read_only,
        config_source: key.source as i8,
        is_sensitive: key.sensitive,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: key.kind.map_or(0, |kind| kind as i8),
        documentation: key
            .doc
            .filter(|_| request.include_documentation)
            .map(ByteString::from_static),
    }
}

fn logger((name, level): (&'static str, &'static str)) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: ByteString::from_static(name),
        value: Some(ByteString::from_static(level)),
        read_only: false,
        config_source: SOURCE_LOGGER,
        is_sensitive: false,
        synonyms: Vec::new(),
        config_type: 0,
        documentation: None,
    }
}

fn result(
    resource: &DescribeConfigsResource,
    entries: Result<Vec<DescribeConfigsResourceResult>, Refusal>,
) -> DescribeConfigsResult {
    let (error_code, text, configs) = match entries {
        Ok(entries) => (ErrorCode::NONE, String::new(), entries),
        Err((code, text)) => (code, text, Vec::new()),
    };
    DescribeConfigsResult {
        error_code,
        error_message: Some(text.into()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs,
    }
}

#[cfg(test)]
mod tests;
