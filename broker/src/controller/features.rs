//! UpdateFeatures: whether the finalised features may be at the levels that are asked for, and the records that say so. Pure.
//!
//! All of a request or nothing. `kraft.version` is the voter set's own and stands in no record of this kind.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::ledger::KRAFT_VERSION;
use super::registration::features;
use crate::metadata::image::Image;
use crate::metadata::records::{FeatureLevelRecord, Record};

/// What a feature is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: ByteString,
    pub level: i16,
    /// 1 upgrade, 2 safe downgrade, 3 unsafe downgrade; anything else is refused.
    pub kind: i8,
}

const UPGRADE: i8 = 1;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Why a level is refused: INVALID_UPDATE_VERSION with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid update version {level} for feature {name}. {why}")]
pub struct FeatureRefusal {
    pub name: ByteString,
    pub level: i16,
    pub why: String,
}

/// Plans the updates of one request; of several for a feature the last counts. `node` is the controller's, for the texts.
pub fn plan(
    image: &Image,
    node: i32,
    updates: &[FeatureUpdate],
) -> Result<Vec<Record>, FeatureRefusal> {
    let last: BTreeMap<&ByteString, &FeatureUpdate> =
        updates.iter().map(|update| (&update.name, update)).collect();
    let mut records = Vec::new();
    for update in last.values() {
        let now = match &*update.name {
            name if name == KRAFT_VERSION.0 => KRAFT_VERSION.1,
            name => image.feature(name),
        };
        check(node, now, update).map_err(|why| FeatureRefusal {
            name: update.name.clone(),
            level: update.level,
            why,
        })?;
        if update.level != now {
            let record =
                FeatureLevelRecord { name: update.name.clone(), feature_level: update.level };
            records.push(record.into());
        }
    }
    Ok(records)
}

fn check(node: i32, now: i16, update: &FeatureUpdate) -> Result<(), String> {
    let FeatureUpdate { name, level, kind } = update;
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(kind) {
        return Err("The controller does not support the given upgrade type.".to_owned());
    }
    if *level < 0 {
        return Err("A feature version cannot be less than 0.".to_owned());
    }
    let supported = features().into_iter().find(|feature| feature.name == *name);
    match supported {
        None if *level == 0 => {}
        None => return Err(format!("Local controller {node} does not support this feature.")),
        Some(range) if !(range.min..=range.max).contains(level) => {
            let range = match range.min == range.max {
                true => range.min.to_string(),
                false => format!("{}-{}", range.min, range.max),
            };
            return Err(format!("Local controller {node} only supports versions {range}"));
        }
        Some(_) => {}
    }
    if *level < now && *kind == UPGRADE {
        return Err("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.".to_owned());
    }
    if *level > now && *kind != UPGRADE {
        return Err("Can't downgrade to a newer version.".to_owned());
    }
    if &**name == KRAFT_VERSION.0 && *level != now {
        return Err("Can't downgrade the version of this feature.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::ledger::bootstrap_records;

    fn ask(name: &str, level: i16, kind: i8) -> Result<usize, String> {
        let mut image = Image::empty();
        bootstrap_records().iter().for_each(|record| image.apply(record).unwrap());
        let update = FeatureUpdate { name: name.into(), level, kind };
        plan(&image, 1, &[update]).map(|records| records.len()).map_err(|why| why.why)
    }

    #[test]
    fn only_levels_that_are_supported_are_finalised() {
        assert_eq!(ask("metadata.version", 30, 1), Ok(0));
        assert_eq!(ask("kraft.version", 1, 1), Ok(0));
        assert_eq!(ask("no.such", 0, 2), Ok(0));
        assert_eq!(ask("share.version", 1, 1), Ok(0));
        assert_eq!((ask("share.version", 0, 2), ask("share.version", 0, 3)), (Ok(1), Ok(1)));
        let refused = |name, level, kind| ask(name, level, kind).unwrap_err();
        assert!(refused("metadata.version", 29, 2).contains("only supports versions 30"));
        assert!(refused("share.version", 2, 1).contains("only supports versions 0-1"));
        assert!(refused("share.version", 0, 1).contains("without setting the upgrade type"));
        assert!(refused("no.such", 1, 1).contains("does not support this feature"));
        assert!(refused("kraft.version", 0, 1).contains("without setting the upgrade type"));
        assert!(
            refused("kraft.version", 0, 2).contains("Can't downgrade the version of this feature.")
        );
        assert!(refused("metadata.version", -1, 1).contains("cannot be less than 0"));
        assert!(refused("metadata.version", 30, 7).contains("upgrade type"));
    }
}
