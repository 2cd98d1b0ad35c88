//! A member of a classic group.

use bytes::Bytes;
use bytestring::ByteString;

use super::Waiter;
use super::records::MemberValue;

/// A name, which stands in it once, and the member's metadata for it, in the member's order of preference.
pub(crate) type Protocols = Vec<(ByteString, Bytes)>;

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: ByteString,
    /// The name of a static member (KIP-345).
    pub(crate) instance: Option<ByteString>,
    pub(crate) client_id: ByteString,
    pub(crate) client_host: ByteString,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) protocols: Protocols,
    pub(crate) assignment: Bytes,
    /// Its first JoinGroup has not been answered: it can expire although it waits.
    pub(crate) is_new: bool,
    /// Who waits for the answer to its JoinGroup.
    pub(crate) joining: Option<Waiter>,
    /// And to its SyncGroup.
    pub(crate) syncing: Option<Waiter>,
}

impl Member {
    /// A member as a record tells it. It knows one protocol, the one that was chosen.
    pub(crate) fn of(value: &MemberValue, protocol: Option<&ByteString>) -> Member {
        let rebalance = match value.rebalance_timeout {
            -1 => value.session_timeout,
            timeout => timeout,
        };
        Member {
            id: value.member_id.clone(),
            instance: value.group_instance_id.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            rebalance_timeout_ms: rebalance,
            session_timeout_ms: value.session_timeout,
            protocols: vec![(protocol.cloned().unwrap_or_default(), value.subscription.clone())],
            assignment: value.assignment.clone(),
            is_new: false,
            joining: None,
            syncing: None,
        }
    }

    /// How a record tells it.
    pub(crate) fn value(&self, protocol: &str, assignment: Bytes) -> MemberValue {
        MemberValue {
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// Its metadata for a protocol; empty if it does not know it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|(name, _)| name == protocol);
        known.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether a JoinGroup brings nothing new.
    pub(crate) fn matches(&self, protocols: &Protocols) -> bool {
        self.protocols == *protocols
    }

    /// Whether it need not have reported: it waits for us.
    pub(crate) fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}
