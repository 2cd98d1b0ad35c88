//! Subscriptions by a regular expression: which topics match is looked up beside the members' requests, and recorded.
//!
//! A new expression is looked up soon after the heartbeat that brought it; all of a group's together again when topics were created, and
//! now and then (`group.consumer.regex.refresh.interval.ms`); at most once in ten seconds. When other topics match than before, the
//! group's epoch is raised.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::timers::Timer;
use super::super::{Refusal, Refused};
use super::heartbeat::{RegexChange, Step};
use super::{ConsumerGroup, Plan, Refresh, Resolved, re2};

/// The least time between two look-ups of a group.
const EVERY_MS: i64 = 10_000;

impl Coordinator {
    /// What has become of the member's regular expression; whether all of the group are to be looked up.
    pub(super) fn regex_change(
        &self,
        now: Now,
        group: &ConsumerGroup,
        step: &Step<'_>,
        plan: &mut Plan,
    ) -> Result<RegexChange, Refused> {
        let (old, new) = (step.before.regex(), step.now.regex());
        let mut change = RegexChange::Same;
        let mut wanted = false;
        if step.before.regex != step.now.regex {
            change = RegexChange::Another;
            if let Some(old) = old
                && group.readers(old) == 1
            {
                plan.regex_gone(old);
            }
            match new {
                Some(new) if group.readers(new) == 0 => {
                    re2::compile(new).map_err(|why| invalid(new, why))?;
                    wanted = true;
                }
                Some(new) if group.resolved(new).is_some() => change = RegexChange::Known,
                None if old.is_some() => change = RegexChange::Known,
                Some(_) | None => {}
            }
        }
        if self.is_lookup_due(now, group, old, new, wanted) {
            plan.resolve();
        }
        Ok(change)
    }

    fn is_lookup_due(
        &self,
        now: Now,
        group: &ConsumerGroup,
        old: Option<&ByteString>,
        new: Option<&ByteString>,
        wanted: bool,
    ) -> bool {
        let mut regexes = group.regexes.clone();
        if !wanted && regexes.is_empty() || self.timers.is_set(&Timer::Regexes(group.id.clone())) {
            return false;
        }
        let last = group.resolved.values().map(|resolved| (resolved.at, resolved.version)).max();
        if last.is_some_and(|(at, _)| now.wall_ms <= at.saturating_add(EVERY_MS)) {
            return false;
        }
        if let Some(count) = old.and_then(|old| regexes.get_mut(old)) {
            *count -= 1;
        }
        if let Some(new) = new {
            *regexes.entry(new.clone()).or_default() += 1;
        }
        regexes.retain(|_, count| *count > 0);
        let (at, version) = last.unwrap_or((i64::MIN, 0));
        let old = now.wall_ms > at.saturating_add(self.rules.consumer.regex_refresh_ms);
        let due = wanted
            || regexes.len() != group.resolved.len()
            || version < self.topics_created_at
            || old;
        due && !regexes.is_empty()
    }

    /// Looks up what the group's regular expressions match.
    pub(in super::super) fn resolve(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.consumers.get(id) else { return };
        let mut changed: BTreeMap<ByteString, Resolved> = BTreeMap::new();
        let mut plan = Plan::of(id);
        let mut raises = false;
        for regex in group.regexes.keys() {
            let topics = self.matching(regex);
            let before = group.resolved(regex).map(|resolved| &resolved.topics);
            let other = before.map_or(!topics.is_empty(), |before| *before != topics);
            let version = self.image.position().offset.0;
            let resolved = Resolved { topics, version, at: now.wall_ms };
            plan.regex(regex, &resolved);
            if other {
                raises = true;
                changed.insert(regex.clone(), resolved);
            }
        }
        let hash = group.names_matching(&changed).hash(&self.image);
        if raises || hash != group.metadata_hash {
            let epoch = group.epoch + 1;
            plan.epoch(epoch, hash);
            plan.refresh(Refresh::after(now.wall_ms, epoch));
        }
        self.carry_out(now, plan, Then::Nothing, out);
    }

    fn matching(&self, regex: &str) -> BTreeSet<ByteString> {
        let Ok(regex) = re2::compile(regex) else { return BTreeSet::new() };
        let names = self.image.topics().map(|topic| &topic.name);
        names.filter(|name| regex.is_match(name)).cloned().collect()
    }
}

fn invalid(regex: &str, why: &str) -> Refused {
    let text = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {why}.");
    Refused::new(Refusal::InvalidRegex, text)
}
