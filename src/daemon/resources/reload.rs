//! The files were read again: groups come, go and change while others run on.

use std::collections::BTreeMap;

use super::Resources;
use super::group::{Group, find, line};
use crate::cluster::{GroupId, GroupPlace, Instant};
use crate::config::{Config, ResourceWord, common};
use crate::resource::environment;
use crate::resource::group::Sequence;

impl Resources {
    /// A group that would get other resources while something is done to those it has, be it only that one of them is
    /// started again: its line.
    pub fn busy_with_what_changes(&self, config: &Config, places: &[GroupPlace]) -> Option<String> {
        let lines = by_key(config);
        let pairs = self.groups.iter().zip(places);
        pairs
            .filter(|(group, place)| {
                let line = lines
                    .get(place.group.key.as_str())
                    .filter(|_| !place.is_removed);
                let is_idle = group.sequence.is_none() && group.queued.is_none();
                !is_idle && line.is_some_and(|line| !is_same(group, &line.resources))
            })
            .map(|(group, _)| group.line.clone())
            .next()
    }

    /// The resources that are on their way out, each with the key of its group: all of a group that the file does not have
    /// any more and that, as `may_run` tells, was not stopped yet; of others those that wait for their stop.
    pub fn leaving(
        &self,
        places: &[GroupPlace],
        may_run: impl Fn(GroupId) -> bool,
    ) -> Vec<(String, String)> {
        let pairs = self.groups.iter().zip(places);
        let words = pairs.flat_map(|(group, place)| {
            let stay = if place.is_removed && may_run(group.id) {
                0
            } else {
                group.listed().len()
            };
            let gone = group.resources.iter().skip(stay);
            gone.map(|(word, _)| (place.group.key.clone(), word.text.clone()))
        });
        words.collect()
    }

    /// Takes over what the files say of resources, with the groups in the core's `places`. What of a group stands before
    /// the first difference stays; the rest is stopped and started, where the group runs. The core asks for everything
    /// else.
    pub fn reload(&mut self, now: Instant, config: &Config, places: &[GroupPlace]) {
        self.timeouts.clone_from(&config.timeouts);
        self.stop_retries = environment::stop_retries(&config.env);
        self.keepalive = config.keepalive;
        self.children.surround(config);
        self.monitors.surround(config);
        self.searches.surround(config);
        let lines = by_key(config);
        for (index, place) in places.iter().enumerate() {
            let Some(wanted) = lines
                .get(place.group.key.as_str())
                .filter(|_| !place.is_removed)
            else {
                if let Some(group) = self.groups.get_mut(index) {
                    group.is_removed = true;
                }
                continue;
            };
            match self.groups.get_mut(index) {
                Some(group) if group.runs && !is_same(group, &wanted.resources) => {
                    self.change(now, index, wanted);
                }
                Some(group) if is_same(group, &wanted.resources) => {
                    group.line = line(wanted);
                    group.is_removed = false;
                }
                place => {
                    let id = GroupId(u32::try_from(index).unwrap_or(u32::MAX));
                    let group = Group::new(id, wanted, &self.places);
                    match place {
                        Some(place) => *place = group,
                        None => self.groups.push(group),
                    }
                }
            }
        }
        self.monitors.reload(now, &config.monitors, &self.groups);
        let refresh = Some(config.announce_every).filter(|every| !every.is_zero());
        self.floating.set_refresh(now, refresh);
        self.floating.set_check_time(config.check_address);
        self.tell_carriers_again();
    }

    /// A group that runs gets other resources.
    fn change(&mut self, now: Instant, index: usize, wanted: &crate::config::Group) {
        let Some(group) = self.groups.get_mut(index) else {
            return;
        };
        let words: Vec<ResourceWord> = group
            .resources
            .iter()
            .map(|(word, _)| word.clone())
            .collect();
        let stay = common(&words, &wanted.resources);
        let departing = group.resources.split_off(stay);
        let new = wanted.resources.iter().skip(stay);
        let new = new.map(|word| find(&self.places, wanted.line, word));
        group.resources.extend(new);
        let length = group.resources.len();
        group.departing = departing.len();
        group.resources.extend(departing);
        group.line = line(wanted);
        group.is_removed = false;
        for address in group.addresses(length) {
            self.floating.let_go(address);
        }
        let sequence = Sequence::change(stay, length, group.departing, self.stop_retries);
        group.forget_row();
        group.sequence = Some(sequence);
        self.monitors.rest(now, index);
        self.ready.push_back(index);
    }
}

fn by_key(config: &Config) -> BTreeMap<&str, &crate::config::Group> {
    let groups = config.groups.iter();
    groups.map(|group| (group.key(), group)).collect()
}

fn is_same(group: &Group, words: &[ResourceWord]) -> bool {
    let listed = group.listed().iter().map(|(word, _)| word);
    listed.eq(words)
}
