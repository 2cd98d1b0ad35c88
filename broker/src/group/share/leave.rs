//! How members of a share group go: they say so, or their session ends. The group's epoch is raised.

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Effects, Then};
use super::super::message::GroupAnswer;
use super::super::records::Record;
use super::super::records::share::{ShareEpochValue, ShareRecord};
use super::super::timers::Timer;
use super::super::{Refusal, Refused, Waiter};
use super::message::{ShareAnswer, ShareReport, ShareReported};

impl Coordinator {
    pub(super) fn leave_share(
        &mut self,
        report: &ShareReport,
        waiter: Waiter,
        out: &mut Effects,
    ) -> Result<(), Refused> {
        let (id, member) = (&report.group, &report.member_id);
        let group = self.shares.get(id).ok_or_else(|| self.no_share_group(id))?;
        if group.member(member).is_none() {
            let text = format!("Member {member} is not a member of group {id}.");
            return Err(Refused::new(Refusal::UnknownMember, text));
        }
        let answer = GroupAnswer::Share(ShareAnswer::Report(Ok(ShareReported {
            member_id: member.clone(),
            member_epoch: report.member_epoch,
            heartbeat_ms: 0,
            assignment: None,
            begin: None,
        })));
        self.fence_share(id, member, Then::Answer(waiter, answer), out);
        Ok(())
    }

    /// Why there is no share group of that name.
    pub(super) fn no_share_group(&self, id: &str) -> Refused {
        match self.is_of_another_protocol(id) {
            true => {
                let text = format!("Group {id} is not a share group.");
                Refused::new(Refusal::NotShareGroup, text)
            }
            false => Refused::new(Refusal::GroupNotFound, format!("Group {id} not found.")),
        }
    }

    /// A member's session is over. If it cannot be recorded it is tried again.
    pub(in super::super) fn share_member_over(
        &mut self,
        id: &ByteString,
        member: &ByteString,
        out: &mut Effects,
    ) {
        if self.shares.get(id).is_some_and(|group| group.member(member).is_some()) {
            let again = Then::Again(Timer::Share(id.clone(), member.clone()));
            self.fence_share(id, member, again, out);
        }
    }

    fn fence_share(&self, id: &ByteString, member: &ByteString, then: Then, out: &mut Effects) {
        let Some(group) = self.shares.get(id) else { return };
        let metadata_hash = group.names_with(member, None).hash(&self.image);
        let epoch = ShareEpochValue { epoch: group.epoch + 1, metadata_hash };
        let records = [
            ShareRecord::Current(member.clone(), None),
            ShareRecord::Target(member.clone(), None),
            ShareRecord::Member(member.clone(), None),
            ShareRecord::Epoch(Some(epoch)),
        ];
        let records = records.into_iter().map(|record| Record::Share(id.clone(), record));
        out.write(records.collect(), then);
    }
}
