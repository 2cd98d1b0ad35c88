//! Whether this node can serve what the metadata says: it may have been written by Kafka, which can do more.
//!
//! Asked at the start, before anything is served: what is refused is left as it is, so that Kafka can go on with it.

use std::sync::Arc;

use super::ledger::Site;
use crate::config::Config;
use crate::config::topic::validate;
use crate::metadata::image::{Image, Topic};
use crate::topic_name;

/// Partitions that are named where there are more: a message is for people.
const NAMED_MAX: usize = 5;

/// What cannot be served, and what to do.
pub(super) fn check(image: &Image, site: &Site, config: &Arc<Config>) -> Result<(), String> {
    let others: Vec<i32> = image.controllers().filter(|id| *id != site.node_id).collect();
    if !others.is_empty() {
        return Err(format!(
            "the metadata names other controllers, {others:?}, and this node would be a second leader beside them: only a node that is broker and \
             controller in one, with node.id={}, can be taken over",
            site.node_id
        ));
    }
    let elsewhere: Vec<String> =
        image.topics().flat_map(|topic| replicated(topic, site.node_id)).collect();
    if !elsewhere.is_empty() {
        return Err(format!(
            "this node serves partitions that it alone has a replica of, but of {} it has not, or not alone: {}. Reassign them to node {} with \
             Kafka's tools first (kafka-reassign-partitions), then stop Kafka cleanly",
            elsewhere.len(),
            named(&elsewhere),
            site.node_id
        ));
    }
    // What Kafka's coordinators have written is kept and read; nothing here writes more of it.
    let written = image.topics().filter(|topic| !topic_name::internal(&topic.name));
    let config = config.under(image);
    let unserved: Vec<String> =
        written.filter_map(|topic| unserved(image, topic, &config)).collect();
    if !unserved.is_empty() {
        return Err(format!(
            "{} topics have configs that are not served: {}. Change them with Kafka's tools first (kafka-configs), then stop Kafka cleanly",
            unserved.len(),
            named(&unserved)
        ));
    }
    Ok(())
}

fn replicated(topic: &Topic, me: i32) -> impl Iterator<Item = String> {
    let all = topic.partitions().filter(move |(_, partition)| partition.replicas != [me]);
    all.map(|(number, partition)| {
        format!("{}-{number} (replicas {:?})", topic.name, partition.replicas)
    })
}

fn unserved(image: &Image, topic: &Topic, config: &Config) -> Option<String> {
    let overrides = image.topic_overrides(&topic.name)?;
    let set = overrides.iter().map(|(name, value)| (name, Some(value)));
    let why = validate(&config.settings, set).err()?;
    Some(format!("{}: {why}", topic.name))
}

fn named(all: &[String]) -> String {
    let mut text = all[..all.len().min(NAMED_MAX)].join("; ");
    if all.len() > NAMED_MAX {
        text.push_str("; ..");
    }
    text
}
