//! `meta.properties`: whose log directory this is.

use crate::checkpoint::{CheckpointError, parse_properties, print_property};
use crate::units::TopicId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    /// The directory's own id, of the same form as a topic's. Kafka starts without one, and makes one.
    pub directory_id: Option<TopicId>,
}

impl MetaProperties {
    /// Keys that are not known are ignored. Version 0 names the node `broker.id`.
    pub fn parse(text: &[u8]) -> Result<MetaProperties, CheckpointError> {
        let text = str::from_utf8(text).map_err(|_| CheckpointError::NotText)?;
        let properties = parse_properties(text);
        let find =
            |key: &str| properties.iter().rev().find(|p| p.key == key).map(|p| p.value.trim());
        let node_key = match find("version").ok_or(CheckpointError::Missing("version"))? {
            "0" => "broker.id",
            "1" => "node.id",
            other => return Err(CheckpointError::Version { found: other.into(), known: "0 or 1" }),
        };
        let node = find(node_key).ok_or(CheckpointError::Missing(node_key))?;
        let bad = |key, value: &str| CheckpointError::Value { key, value: value.into() };
        let node_id = node.parse().ok().filter(|id| *id >= 0).ok_or_else(|| bad(node_key, node))?;
        let cluster_id =
            find("cluster.id").ok_or(CheckpointError::Missing("cluster.id"))?.to_owned();
        let directory_id = match find("directory.id") {
            None => None,
            Some(id) => Some(TopicId::parse(id).ok_or_else(|| bad("directory.id", id))?),
        };
        Ok(MetaProperties { cluster_id, node_id, directory_id })
    }

    pub fn print(&self) -> String {
        let mut text = format!(
            "#\n{}\n{}\n{}\n",
            print_property("version", "1"),
            print_property("node.id", &self.node_id.to_string()),
            print_property("cluster.id", &self.cluster_id)
        );
        if let Some(id) = self.directory_id {
            text.push_str(&print_property("directory.id", &id.to_string()));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for directory_id in [None, TopicId::parse("Jmiwj-G4Q-eVTYkY9pzpPQ")] {
            let properties = MetaProperties {
                cluster_id: "4L6g3nShT-eMCtK--X86sw".into(),
                node_id: 1,
                directory_id,
            };
            assert_eq!(MetaProperties::parse(properties.print().as_bytes()), Ok(properties));
        }
    }

    #[test]
    fn kafkas_files_are_read() {
        let check = |text: &str, node_id, cluster: &str| {
            let found = MetaProperties::parse(text.as_bytes()).unwrap();
            assert_eq!((found.node_id, found.cluster_id.as_str()), (node_id, cluster));
        };
        check(
            "#\n#Sat Aug 01 10:00:00 UTC 2026\ncluster.id=abc\ndirectory.id=Jmiwj-G4Q-eVTYkY9pzpPQ\nnode.id=7\nversion=1\n",
            7,
            "abc",
        );
        check("version=0\nbroker.id=3\ncluster.id=abc\n", 3, "abc");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let check = |text: &str, message: &str| {
            assert_eq!(
                MetaProperties::parse(text.as_bytes()).unwrap_err().to_string(),
                message,
                "{text:?}"
            );
        };
        check("", "version is missing");
        check("version=2\n", "version 2 is unknown, 0 or 1 is what can be read");
        check("version=1\ncluster.id=a\n", "node.id is missing");
        check("version=1\nnode.id=x\ncluster.id=a\n", "node.id cannot be \"x\"");
        check("version=1\nnode.id=1\n", "cluster.id is missing");
        check(
            "version=1\nnode.id=1\ncluster.id=a\ndirectory.id=z\n",
            "directory.id cannot be \"z\"",
        );
    }
}
