//! AlterClientQuotas: what records a request makes, and what each entity is answered. Pure: nothing is written here.
//!
//! Kafka's checks, in its order and words. What is not enforced here (rates of connections and of controller mutations) is refused,
//! in our own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytestring::ByteString;

use crate::metadata::image::{Image, QuotaEntity};
use crate::metadata::records::{ClientQuotaRecord, EntityData, Record};
use crate::quota::{CLIENT_ID, IP, USER};

/// What is to become of one entity's quotas.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaChange {
    pub entity: QuotaEntity,
    /// None removes.
    pub values: Vec<(ByteString, Option<f64>)>,
}

/// Why an entity's quotas were not changed: INVALID_REQUEST with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuotaRefusal(pub String);

/// An outcome for each entity, each entity once.
pub type Outcomes = BTreeMap<QuotaEntity, Result<(), QuotaRefusal>>;

/// Plans the changes of one request.
pub fn plan(image: &Image, changes: &[QuotaChange]) -> (Vec<Record>, Outcomes) {
    let mut records = Vec::new();
    let mut outcomes = Outcomes::new();
    for change in changes {
        let mut keys = std::collections::HashSet::new();
        let twice = !change.values.iter().all(|(key, _)| keys.insert(key));
        let outcome = if twice || outcomes.contains_key(&change.entity) {
            Err(QuotaRefusal(format!("Ignoring duplicate entity {}", shown(&change.entity))))
        } else {
            plan_entity(image, change).map(|mut own| records.append(&mut own))
        };
        outcomes.insert(change.entity.clone(), outcome);
    }
    (records, outcomes)
}

/// As Kafka shows it.
fn shown(entity: &QuotaEntity) -> String {
    let part = |(kind, name): (&ByteString, &Option<ByteString>)| {
        format!("{kind}={}", name.as_deref().unwrap_or("null"))
    };
    format!(
        "ClientQuotaEntity(entries={{{}}})",
        entity.iter().map(part).collect::<Vec<_>>().join(", ")
    )
}

fn plan_entity(image: &Image, change: &QuotaChange) -> Result<Vec<Record>, QuotaRefusal> {
    check_entity(&change.entity)?;
    let none = Arc::default();
    let current = image.quotas_of(&change.entity).unwrap_or(&none);
    let of_ip = change.entity.contains_key(IP);
    let mut records = Vec::new();
    for (key, value) in &change.values {
        let record = |value: Option<f64>| ClientQuotaRecord {
            entity: change.entity.iter().map(entity_data).collect(),
            key: key.clone(),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
        };
        match value {
            None if current.contains_key(key) => records.push(record(None).into()),
            None => {}
            Some(value) => {
                check_value(key, *value, of_ip)?;
                if current.get(key) != Some(value) {
                    records.push(record(Some(*value)).into());
                }
            }
        }
    }
    Ok(records)
}

fn entity_data((kind, name): (&ByteString, &Option<ByteString>)) -> EntityData {
    EntityData { entity_type: kind.clone(), entity_name: name.clone() }
}

fn check_entity(entity: &QuotaEntity) -> Result<(), QuotaRefusal> {
    let refused = |text: String| Err(QuotaRefusal(text));
    if entity.is_empty() {
        return refused("Invalid empty client quota entity".into());
    }
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&&**kind) {
            return refused(format!("Unhandled client quota entity type: {kind}"));
        }
        if name.as_ref().is_some_and(|name| name.is_empty()) {
            return refused(format!("Empty {kind} not supported"));
        }
    }
    match entity.get(IP) {
        Some(_) if entity.len() > 1 => refused(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"
                .into(),
        ),
        // Nothing here may wait for a name server.
        Some(Some(ip)) if ip.parse::<IpAddr>().is_err() => {
            refused(format!("{ip} is not a valid IP or resolvable host."))
        }
        _ => Ok(()),
    }
}

fn check_value(key: &str, value: f64, of_ip: bool) -> Result<(), QuotaRefusal> {
    let refused = |text: String| Err(QuotaRefusal(text));
    let (whole, most, kind) = match (key, of_ip) {
        ("producer_byte_rate" | "consumer_byte_rate", false) => (true, i64::MAX as f64, "LONG"),
        ("connection_creation_rate", true) => (true, f64::from(i32::MAX), "INT"),
        ("request_percentage" | "controller_mutation_rate", false) => (false, f64::INFINITY, ""),
        _ => return refused(format!("Invalid configuration key {key}")),
    };
    if value <= 0.0 || value.is_nan() {
        return refused(format!("Quota {key} must be greater than 0"));
    }
    if whole && value > most {
        return refused(format!("Proposed value for {key} is too large for a {kind}."));
    }
    if whole && (value % 1.0).abs() > 1e-6 {
        return refused(format!("{key} cannot be a fractional value."));
    }
    match key {
        "connection_creation_rate" | "controller_mutation_rate" => {
            refused(format!("Quota {key} is not enforced by this broker yet, and so not accepted"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(parts: &[(&str, Option<&str>)]) -> QuotaEntity {
        parts.iter().map(|(kind, name)| ((*kind).into(), name.map(Into::into))).collect()
    }

    fn change(parts: &[(&str, Option<&str>)], values: &[(&str, Option<f64>)]) -> QuotaChange {
        let values = values.iter().map(|(key, value)| ((*key).into(), *value)).collect();
        QuotaChange { entity: entity(parts), values }
    }

    fn apply(image: &mut Image, changes: &[QuotaChange]) -> Vec<Result<usize, String>> {
        let (records, outcomes) = plan(image, changes);
        records.iter().for_each(|record| image.apply(record).unwrap());
        outcomes
            .into_values()
            .map(|outcome| outcome.map(|()| records.len()).map_err(|why| why.0))
            .collect()
    }

    #[test]
    fn quotas_are_set_changed_and_removed() {
        let mut image = Image::empty();
        let user = [(USER, Some("u"))];
        let rate = |value| change(&user, &[("producer_byte_rate", value)]);
        assert_eq!(apply(&mut image, &[rate(Some(1000.0))]), [Ok(1)]);
        assert_eq!(apply(&mut image, &[rate(Some(1000.0))]), [Ok(0)]);
        assert_eq!(image.quotas_of(&entity(&user)).unwrap()["producer_byte_rate"], 1000.0);
        assert_eq!(apply(&mut image, &[rate(None)]), [Ok(1)]);
        assert_eq!(apply(&mut image, &[rate(None)]), [Ok(0)]);
        assert_eq!(image.quotas_of(&entity(&user)), None);
    }

    #[test]
    fn refusals_are_kafkas() {
        let refused = |parts: &[(&str, Option<&str>)], key: &str, value: f64| {
            let change = change(parts, &[(key, Some(value))]);
            apply(&mut Image::empty(), &[change]).remove(0).unwrap_err()
        };
        let user = [(USER, Some("u"))];
        for (parts, key, value, text) in [
            (&[][..], "producer_byte_rate", 1.0, "Invalid empty client quota entity"),
            (
                &[("colour", None)],
                "producer_byte_rate",
                1.0,
                "Unhandled client quota entity type: colour",
            ),
            (&[(USER, Some(""))], "producer_byte_rate", 1.0, "Empty user not supported"),
            (&user, "producer_byte_rate", 0.0, "Quota producer_byte_rate must be greater than 0"),
            (
                &user,
                "producer_byte_rate",
                f64::NAN,
                "Quota producer_byte_rate must be greater than 0",
            ),
            (&user, "producer_byte_rate", 1.5, "producer_byte_rate cannot be a fractional value."),
            (
                &user,
                "consumer_byte_rate",
                1e30,
                "Proposed value for consumer_byte_rate is too large for a LONG.",
            ),
            (&user, "no_such", 1.0, "Invalid configuration key no_such"),
            (
                &[(IP, Some("x y"))],
                "connection_creation_rate",
                1.0,
                "x y is not a valid IP or resolvable host.",
            ),
        ] {
            assert_eq!(refused(parts, key, value), text);
        }
        let twice = [change(&user, &[("producer_byte_rate", Some(1.0))]), change(&user, &[])];
        let text = "Ignoring duplicate entity ClientQuotaEntity(entries={user=u})".to_owned();
        assert_eq!(apply(&mut Image::empty(), &twice), [Err(text)]);
    }
}
