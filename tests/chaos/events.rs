//! What the scripts noted, and what in it must not be.
//!
//! A line is the time (seconds since the boot), the node, the resource `GROUP.PLACE`, the action, what of it, and the
//! process: `12.34 alpha 17.0 start begin 4711`. `crash` in the place of the action: the machine lost its power, and with
//! it whatever ran there.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of a resource on a node. It counts as running there from the first moment of a start to the last of
/// a stop, or until it said that it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Up,
    Stopping,
}

/// A place in a group.
type Resource = (usize, usize);

#[derive(Default)]
struct Node {
    /// What may run.
    states: BTreeMap<Resource, State>,
    /// The action that each group is at: its process.
    busy: BTreeMap<usize, String>,
    /// Processes that were given up, by the daemon or by the one who killed them.
    abandoned: BTreeSet<String>,
}

/// How many actions were noted, and what was wrong.
pub struct Verdict {
    /// Starts and stops that began.
    pub actions: usize,
    /// A sentence for each fault.
    pub faults: Vec<String>,
}

/// Judges the whole file.
pub fn judge(text: &str) -> Verdict {
    let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
    let mut verdict = Verdict {
        actions: 0,
        faults: Vec::new(),
    };
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, name, resource, action, what, process] = words[..] else {
            verdict.faults.push(format!("no event: {line}"));
            continue;
        };
        if action == "crash" {
            nodes.insert(name, Node::default());
            continue;
        }
        let place = resource
            .split_once('.')
            .and_then(|(group, place)| Some((group.parse().ok()?, place.parse().ok()?)));
        let Some(resource) = place else {
            verdict.faults.push(format!("no resource: {line}"));
            continue;
        };
        let mut others = nodes.iter().filter(|(other, _)| **other != name);
        let other = others
            .find_map(|(_, node)| node.states.get(&resource))
            .copied();
        let node = nodes.entry(name).or_default();
        let fault = match (action, what) {
            ("status", "stopped") => {
                node.states.remove(&resource);
                None
            }
            ("status", _) => None,
            (_, "begin") => {
                verdict.actions += 1;
                node.begin(resource, action, process)
                    .or_else(|| match other {
                        Some(state) if action == "start" => {
                            Some(format!("it is {state:?} on the other node"))
                        }
                        _ => None,
                    })
            }
            _ => node.end(resource, action, what, process),
        };
        verdict
            .faults
            .extend(fault.map(|fault| format!("{line}: {fault}")));
    }
    verdict
}

impl Node {
    fn begin(&mut self, resource: Resource, action: &str, process: &str) -> Option<String> {
        let (group, place) = resource;
        // One that was killed says nothing any more.
        let before = self.busy.insert(group, process.to_owned());
        self.abandoned.extend(before);
        self.abandoned.remove(process); // numbers come again
        if action == "start" {
            self.states.insert(resource, State::Starting);
            let left = (0..place).find(|left| !self.states.contains_key(&(group, *left)));
            return left
                .map(|left| format!("{group}.{left}, which stands before it, does not run"));
        }
        self.states.insert(resource, State::Stopping);
        let after = self.states.range((group, place + 1)..(group + 1, 0));
        let up = after
            .filter(|(_, state)| **state != State::Stopping)
            .map(|((_, right), _)| *right)
            .next();
        up.map(|right| format!("{group}.{right}, which stands after it, was not stopped"))
    }

    fn end(
        &mut self,
        resource: Resource,
        action: &str,
        what: &str,
        process: &str,
    ) -> Option<String> {
        if self.abandoned.contains(process) {
            return Some("the next action of the group had begun already".to_owned());
        }
        self.busy.remove(&resource.0);
        match (action, what) {
            ("start", "done") => {
                self.states.insert(resource, State::Up);
            }
            ("stop", "done") => {
                self.states.remove(&resource);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    fn faults(lines: &[&str]) -> String {
        judge(&lines.join("\n")).faults.join("; ")
    }

    #[test]
    fn what_is_in_order_is_found_in_order() {
        let lines = [
            "1 a 0.0 status stopped 1",
            "1 a 0.0 start begin 2",
            "1 a 0.0 start done 2",
            "1 a 0.1 start begin 3",
            "1 a 0.1 start failed 3",
            "2 a 0.1 stop begin 4", // killed
            "2 a 0.1 stop begin 5",
            "2 a 0.1 stop done 5",
            "2 a 0.0 stop begin 6", // its answer was lost
            "2 a 0.0 status stopped 7",
            "2 b 0.0 start begin 8",
            "2 b - crash - -",
            "3 a 0.0 start begin 9",
        ];
        assert_eq!(faults(&lines), "");
        assert_eq!(judge(&lines.join("\n")).actions, 7);
    }

    #[test]
    fn every_fault_is_found() {
        for (lines, fault) in [
            (
                &["1 a 0.0 start begin 1", "1 b 0.0 start begin 2"][..],
                "on the other node",
            ),
            (
                &[
                    "1 a 0.0 start begin 1",
                    "1 a 0.0 start done 1",
                    "1 a 0.0 stop begin 3",
                    "1 b 0.0 start begin 2",
                ],
                "it is Stopping on the other node",
            ),
            (&["1 a 0.1 start begin 1"], "0.0, which stands before it"),
            (
                &[
                    "1 a 0.0 start begin 1",
                    "1 a 0.0 start done 1",
                    "1 a 0.1 start begin 2",
                    "1 a 0.1 start done 2",
                    "1 a 0.0 stop begin 3",
                ],
                "0.1, which stands after it",
            ),
            (
                &[
                    "1 a 0.0 start begin 1",
                    "1 a 0.0 stop begin 2",
                    "1 a 0.0 start done 1",
                ],
                "had begun already",
            ),
            (&["1 a 0.0 start"], "no event"),
            (&["1 a x start begin 1"], "no resource"),
        ] {
            let found = faults(lines);
            assert!(found.contains(fault), "{lines:?}: {found:?}");
        }
    }
}
