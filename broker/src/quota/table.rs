//! Which quota applies to whom.

use std::collections::HashMap;

use bytestring::ByteString;

use super::{Limited, Spender};
use crate::metadata::image::{Image, QuotaEntity};

/// What a client may spend, and with whom it is counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allowed {
    pub spender: Spender,
    /// Bytes, or nanoseconds.
    pub per_second: f64,
}

/// The quotas that are enforced, by what they limit and whom: outer none is "not named", inner none is the default.
#[derive(Debug, Default)]
pub(crate) struct Table(HashMap<(Limited, Name, Name), f64>);

type Name = Option<Option<ByteString>>;

pub(crate) const USER: &str = "user";
pub(crate) const CLIENT_ID: &str = "client-id";
pub(crate) const IP: &str = "ip";

impl Table {
    pub(crate) fn of(image: &Image) -> Table {
        let mut table = HashMap::new();
        for (entity, values) in image.quotas() {
            if entity.contains_key(IP) {
                continue;
            }
            let (user, client) = (name(entity, USER), name(entity, CLIENT_ID));
            for (key, value) in values.iter() {
                if let Some((limited, per_second)) = limit(key, *value) {
                    table.insert((limited, user.clone(), client.clone()), per_second);
                }
            }
        }
        Table(table)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most specific quota, in Kafka's order: a user with a client id, a user, a client id; in each the name before the default.
    pub(crate) fn find(&self, limited: Limited, user: &str, client_id: &str) -> Option<Allowed> {
        if self.0.is_empty() {
            return None;
        }
        let (user, client) = (ByteString::from(user), ByteString::from(client_id));
        let get = |user: Name, client: Name| self.0.get(&(limited, user, client)).copied();
        let (me, any) = (|name: &ByteString| Some(Some(name.clone())), || Some(None));
        let both = |per_second| (per_second, Some(user.clone()), Some(client.clone()));
        let of_user = |per_second| (per_second, Some(user.clone()), None);
        let of_client = |per_second| (per_second, None, Some(client.clone()));
        let found = get(me(&user), me(&client))
            .or_else(|| get(me(&user), any()))
            .map(both)
            .or_else(|| get(me(&user), None).map(of_user))
            .or_else(|| get(any(), me(&client)).or_else(|| get(any(), any())).map(both))
            .or_else(|| get(any(), None).map(of_user))
            .or_else(|| get(None, me(&client)).or_else(|| get(None, any())).map(of_client));
        let (per_second, user, client_id) = found?;
        Some(Allowed { spender: Spender { limited, user, client_id }, per_second })
    }
}

fn name(entity: &QuotaEntity, kind: &str) -> Name {
    entity.get(kind).cloned()
}

/// What a key limits, in what the meter counts.
fn limit(key: &str, value: f64) -> Option<(Limited, f64)> {
    const NANOSECONDS_A_PERCENT: f64 = 1e9 / 100.0;
    match key {
        "producer_byte_rate" => Some((Limited::Produce, value)),
        "consumer_byte_rate" => Some((Limited::Fetch, value)),
        "request_percentage" => Some((Limited::Request, value * NANOSECONDS_A_PERCENT)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::records::{ClientQuotaRecord, EntityData};

    fn table(quotas: &[(Option<&str>, Option<&str>, f64)]) -> Table {
        let mut image = Image::empty();
        for (user, client, value) in quotas {
            let part = |kind: &str, name: &Option<&str>| {
                name.map(|name| EntityData {
                    entity_type: kind.into(),
                    entity_name: (name != "*").then(|| name.into()),
                })
            };
            let entity = part(USER, user).into_iter().chain(part(CLIENT_ID, client)).collect();
            let key = "producer_byte_rate".into();
            let record = ClientQuotaRecord { entity, key, value: *value, remove: false };
            image.apply(&record.into()).unwrap();
        }
        Table::of(&image)
    }

    fn spender(user: Option<&str>, client_id: Option<&str>) -> Spender {
        Spender {
            limited: Limited::Produce,
            user: user.map(Into::into),
            client_id: client_id.map(Into::into),
        }
    }

    /// From the weakest to the strongest: each is found although all before it are there.
    #[test]
    fn the_most_specific_quota_counts() {
        let by_rank = [
            (None, Some("*"), (None, Some("c"))),
            (None, Some("c"), (None, Some("c"))),
            (Some("*"), None, (Some("u"), None)),
            (Some("*"), Some("*"), (Some("u"), Some("c"))),
            (Some("*"), Some("c"), (Some("u"), Some("c"))),
            (Some("u"), None, (Some("u"), None)),
            (Some("u"), Some("*"), (Some("u"), Some("c"))),
            (Some("u"), Some("c"), (Some("u"), Some("c"))),
        ];
        for rank in 0..by_rank.len() {
            let quotas: Vec<_> =
                (0..=rank).map(|n| (by_rank[n].0, by_rank[n].1, (n + 1) as f64)).collect();
            let found = table(&quotas).find(Limited::Produce, "u", "c").unwrap();
            let (user, client) = by_rank[rank].2;
            assert_eq!(found.spender, spender(user, client), "rank {rank}");
            assert_eq!(found.per_second, (rank + 1) as f64);
        }
        let of_another = table(&[(Some("v"), None, 1.0), (None, Some("d"), 2.0)]);
        assert_eq!(of_another.find(Limited::Produce, "u", "c"), None);
        assert_eq!(table(&[(Some("u"), None, 1.0)]).find(Limited::Fetch, "u", "c"), None);
    }
}
