//! Built-in addresses among the resources of groups. Those in a row are one step, and so are those of groups that are at such
//! a step at the same time: the kernel is asked once for many of them.

use std::iter;

use log::Level;

use super::{Resources, TAG};
use crate::cluster::Instant;
use crate::resource::Action;
use crate::resource::catalogue::Resource;
use crate::resource::group::{Answer, Sequence};

/// Of so many addresses in a row each is told of. Of more, the first and the number are, and what goes wrong; the rest is for
/// the debug log.
const MOST_TOLD: usize = 16;

impl Resources {
    /// Carries out one action on a built-in address, or begins to; with it as many as possible of those that come next.
    pub(super) fn run_address(
        &mut self,
        now: Instant,
        index: usize,
        resource: usize,
        action: Action,
    ) -> Option<Answer> {
        let group = self.groups.get_mut(index)?;
        let row = group.row(resource);
        let is_told = row.len() <= MOST_TOLD;
        let is_news = group.begin_row(row.start, action);
        let is_start = group.sequence.as_ref().is_some_and(Sequence::is_starting);
        let (word, Ok(found)) = group.resources.get(resource)? else {
            return None;
        };
        let Resource::Address { spec, agent, .. } = found else {
            return None;
        };
        let is_ahead = self.floating.is_done_ahead(index, action, spec.address);
        let is_last = match action {
            Action::Stop => resource == row.start,
            _ => resource.saturating_add(1) == row.end,
        };
        if action != Action::Status && (is_told || is_news) {
            let invocation = found.invocation(action, self.limits.of(action));
            if is_told {
                log::info!(target: TAG, "Running {invocation}");
            } else {
                let number = row.len();
                log::info!(target: TAG, "Running {invocation}, the first of {number} addresses in a row; the others are only told of in the debug log");
            }
        }
        let level = if is_told { Level::Info } else { Level::Debug };
        let told = (!is_told && is_last).then(|| (row.len(), word.text.clone()));
        let (spec, agent) = (spec.clone(), agent.clone());
        if !is_ahead && action != Action::Status {
            self.carry_out_ahead(index);
        }
        let address = (&spec, agent.as_str());
        let of = (index, is_start);
        let answer = self.floating.run(now, of, address, action, level);
        if answer == Some(Answer::Failed) {
            self.floating.forget_ahead(index);
        }
        if let Some((number, word)) = told
            && answer == Some(Answer::Succeeded)
        {
            let done = if action == Action::Stop {
                "removed"
            } else {
                "added"
            };
            log::info!(target: TAG, "{number} addresses in a row are {done}, the last one {word}");
        }
        answer
    }

    /// What comes next for this group and for the others that can go on, if all goes well, as far as it is addresses.
    fn carry_out_ahead(&mut self, index: usize) {
        let others = self.ready.iter().copied().filter(|other| *other != index);
        for index in iter::once(index).chain(others) {
            let Some(group) = self.groups.get(index) else {
                continue;
            };
            let ahead = group.sequence.as_ref().and_then(Sequence::ahead);
            let Some((action, resources)) = ahead else {
                continue;
            };
            for resource in resources {
                let found = group.resources.get(resource);
                let Some((_, Ok(Resource::Address { spec, .. }))) = found else {
                    break;
                };
                if self.floating.wants_enough() || !self.floating.want(index, action, spec) {
                    break;
                }
            }
            if self.floating.wants_enough() {
                break;
            }
        }
        self.floating.carry_out();
    }
}
