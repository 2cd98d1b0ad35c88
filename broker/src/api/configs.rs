//! What AlterConfigs and IncrementalAlterConfigs have in common: which resources of a request are sound, who changes them, and what
//! each is answered.
//!
//! The levels of loggers are changed here, on this broker; everything else by the controller, in one batch of the metadata log.

use std::collections::{HashMap, HashSet};

use bytestring::ByteString;
use net::wire::ErrorCode;

use super::{Context, Operation, Resource};
use crate::controller::configs::{
    APPEND, Change, ConfigChange, ConfigRefusal, DELETE, Operation as KeyOperation, SET, SUBTRACT,
};
use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::log_levels;
use crate::metadata::image::ConfigResource;

const BROKER_LOGGER: i8 = 8;

/// One resource of a request.
pub(super) struct Asked {
    pub resource: ConfigResource,
    pub operations: Vec<KeyOperation>,
}

/// A code and what is said beside it.
pub(super) type Told = (ErrorCode, Option<String>);

/// Changes what can be changed; the answers are in the order of the resources. With `whole` the operations set all that a resource
/// has.
pub(super) async fn alter(
    cx: &Context,
    asked: Vec<Asked>,
    whole: bool,
    validate_only: bool,
) -> Vec<Told> {
    let twice = repeated(&asked);
    let mut told: Vec<Told> = Vec::with_capacity(asked.len());
    let (mut changes, mut places) = (Vec::new(), Vec::new());
    for (place, asked) in asked.into_iter().enumerate() {
        let checked = if twice.contains(&place) {
            Err(request("Each resource must appear at most once."))
        } else {
            check(cx, &asked, whole)
        };
        told.push(match checked {
            Err(refused) => refused,
            Ok(()) if asked.resource.kind == BROKER_LOGGER => {
                loggers(cx, &asked, validate_only).err().unwrap_or((ErrorCode::NONE, None))
            }
            Ok(()) => {
                changes.push(change(asked, whole));
                places.push(place);
                (ErrorCode::NONE, None)
            }
        });
    }
    if !changes.is_empty() {
        let outcomes = by_controller(cx, changes, validate_only).await;
        places.into_iter().zip(outcomes).for_each(|(place, outcome)| told[place] = outcome);
    }
    told
}

fn request(text: impl Into<String>) -> Told {
    (ErrorCode::INVALID_REQUEST, Some(text.into()))
}

/// The places of resources that stand in the request more than once.
fn repeated(asked: &[Asked]) -> HashSet<usize> {
    let mut first = HashMap::new();
    let mut twice = HashSet::new();
    for (place, asked) in asked.iter().enumerate() {
        if let Some(before) = first.insert(&asked.resource, place) {
            twice.extend([before, place]);
        }
    }
    twice
}

fn check(cx: &Context, asked: &Asked, whole: bool) -> Result<(), Told> {
    let mut keys = HashSet::new();
    if !asked.operations.iter().all(|operation| keys.insert(&operation.key)) {
        return Err(request("Error due to duplicate config keys"));
    }
    let null = |operation: &&KeyOperation| operation.kind != DELETE && operation.value.is_none();
    let nulls: Vec<&str> =
        asked.operations.iter().filter(null).map(|operation| &*operation.key).collect();
    if !nulls.is_empty() {
        return Err(request(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    let ConfigResource { kind, name } = &asked.resource;
    match *kind {
        ConfigResource::TOPIC if !cx.authorize(Operation::AlterConfigs, Resource::Topic(name)) => {
            Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, None))
        }
        BROKER_LOGGER if whole => Err(request(format!("Unknown resource type {kind}"))),
        ConfigResource::TOPIC => Ok(()),
        ConfigResource::BROKER
        | ConfigResource::CLIENT_METRICS
        | ConfigResource::GROUP
        | BROKER_LOGGER => match cx.authorize(Operation::AlterConfigs, Resource::Cluster) {
            true => Ok(()),
            false => Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, None)),
        },
        kind => Err(request(format!("Unknown resource type {kind}"))),
    }
}

fn change(asked: Asked, whole: bool) -> ConfigChange {
    let what = if whole {
        let pairs = asked.operations.into_iter();
        Change::All(pairs.map(|set| (set.key, set.value.unwrap_or_default())).collect())
    } else {
        Change::Some(asked.operations)
    };
    ConfigChange { resource: asked.resource, what }
}

async fn by_controller(cx: &Context, changes: Vec<ConfigChange>, validate_only: bool) -> Vec<Told> {
    let count = changes.len();
    let asked = ControllerRequest::AlterConfigs { changes, validate_only };
    let all = |code, text: Option<String>| vec![(code, text); count];
    match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::AlterConfigs(outcomes)) => {
            outcomes.into_iter().map(|outcome| outcome.map_or_else(refused, |()| done())).collect()
        }
        Ok(ControllerAnswer::Unwritten(error)) => {
            all(super::create_topics::unwritten(&error), Some(error.to_string()))
        }
        Ok(_) => all(ErrorCode::UNKNOWN_SERVER_ERROR, None),
        Err(_) => all(ErrorCode::NOT_CONTROLLER, None),
    }
}

fn done() -> Told {
    (ErrorCode::NONE, None)
}

fn refused(refusal: ConfigRefusal) -> Told {
    let code = match &refusal {
        ConfigRefusal::Request(_) => ErrorCode::INVALID_REQUEST,
        ConfigRefusal::Config(_) => ErrorCode::INVALID_CONFIG,
        ConfigRefusal::TopicName(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        ConfigRefusal::NoTopic(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ConfigRefusal::Policy(_) => ErrorCode::POLICY_VIOLATION,
        ConfigRefusal::Stumbled => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    let text = (refusal != ConfigRefusal::Stumbled).then(|| refusal.to_string());
    (code, text)
}

/// Sets the levels of this process's loggers.
fn loggers(cx: &Context, asked: &Asked, validate_only: bool) -> Result<(), Told> {
    let (name, me) = (&asked.resource.name, cx.shard.config.node_id());
    match name.parse::<i32>() {
        Err(_) => return Err(request(format!("Node id must be an integer, but it is: {name}"))),
        Ok(id) if id != me => {
            return Err(request(format!("Unexpected node id. Expected {me}, but received {id}")));
        }
        Ok(_) => {}
    }
    let mut sound = Vec::with_capacity(asked.operations.len());
    for operation in &asked.operations {
        sound.push(logger(operation)?);
    }
    if !validate_only {
        sound.into_iter().for_each(|(logger, level)| log_levels::change(logger, level));
    }
    Ok(())
}

type Level = (&'static str, Option<&'static str>);

fn logger(operation: &KeyOperation) -> Result<Level, Told> {
    let KeyOperation { key, kind, value } = operation;
    let invalid = |text: String| (ErrorCode::INVALID_CONFIG, Some(text));
    let known =
        || log_levels::known(key).ok_or_else(|| invalid(format!("Logger {key} does not exist!")));
    let not_allowed = |name: &str| {
        Err(request(format!("{name} operation is not allowed for the BROKER_LOGGER resource")))
    };
    match *kind {
        SET => {
            let (logger, level) = (known()?, value.clone().unwrap_or_else(ByteString::new));
            let text = || {
                format!(
                    "Cannot set the log level of {key} to {level} as it is not a supported log level. Valid log levels are {}",
                    log_levels::LEVELS.join(", ")
                )
            };
            let level = log_levels::level(&level).ok_or_else(|| invalid(text()))?;
            Ok((logger, Some(level)))
        }
        DELETE => match known()? {
            log_levels::ROOT => {
                Err(request("Removing the log level of the root logger is not allowed"))
            }
            logger => Ok((logger, None)),
        },
        APPEND => not_allowed("APPEND"),
        SUBTRACT => not_allowed("SUBTRACT"),
        // Kafka stumbles over what is no operation.
        _ => Err((ErrorCode::UNKNOWN_SERVER_ERROR, None)),
    }
}
