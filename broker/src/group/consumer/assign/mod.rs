//! Who is to own what: the assignors `uniform` and `range`, as functions of the members, what each reads and has, and the topics.
//!
//! Both are Kafka's, move for move; where Kafka goes through a hash map, here the order is that of ids.

mod balance;
mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use uuid::Uuid;

use super::member::Assignment;
use super::subscription::SubscriptionType;

/// A way to assign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As many partitions for each, and as few moves as possible.
    Uniform,
    /// Of each topic a range of neighbours, the same for topics that the same members read.
    Range,
}

impl Assignor {
    /// By the name that Kafka has for it, or by its class there.
    pub fn named(name: &str) -> Option<Assignor> {
        let name =
            name.strip_prefix("org.apache.kafka.coordinator.group.assignor.").unwrap_or(name);
        match name {
            "uniform" | "UniformAssignor" => Some(Assignor::Uniform),
            "range" | "RangeAssignor" => Some(Assignor::Range),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }
}

/// A member, as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    pub(super) instance: Option<ByteString>,
    /// Topics that there are.
    pub(super) reads: BTreeSet<Uuid>,
    /// Its target until now.
    pub(super) has: Assignment,
}

/// What an assignor is told.
pub(super) struct Question<'a> {
    pub(super) members: &'a BTreeMap<ByteString, Candidate>,
    pub(super) subscription: SubscriptionType,
    /// Partitions of each topic that a member reads.
    pub(super) partitions: &'a BTreeMap<Uuid, i32>,
}

impl Question<'_> {
    fn partitions_of(&self, topic: &Uuid) -> i32 {
        self.partitions.get(topic).copied().unwrap_or(0)
    }
}

/// By member; who gets nothing may be left out.
pub(super) type Targets = BTreeMap<ByteString, Assignment>;

pub(super) fn assign(assignor: Assignor, question: &Question<'_>) -> Targets {
    if question.members.is_empty() {
        return Targets::new();
    }
    match (assignor, question.subscription) {
        (Assignor::Range, _) => range::assign(question),
        (Assignor::Uniform, SubscriptionType::Homogeneous) => uniform::assign(question),
        (Assignor::Uniform, SubscriptionType::Heterogeneous) => balance::assign(question),
    }
}

#[cfg(test)]
mod tests;
