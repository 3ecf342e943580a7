//! What changes from the files in use to those on the disk, in words, and what of it a running daemon can take over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::directive::{Change, Repeat};
use super::{AutoFailback, Config, DIRECTIVES, Group, ResourceWord, parse_address, terms};

/// Everything that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Directives of `ha.cf`, in the order of the table.
    pub directives: Vec<DirectiveChange>,
    /// Groups of `haresources`: first those that go, then the others in the order of the file.
    pub groups: Vec<GroupChange>,
    /// Whether the keys change.
    pub keys: bool,
    /// Whether the pair is made of other nodes, or this machine is another one of them. Then nothing of the files can be
    /// taken over.
    pub nodes: bool,
}

/// A directive that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectiveChange {
    /// Its name.
    pub name: &'static str,
    /// Its lines in use that are not there any more, without its name.
    pub gone: Vec<String>,
    /// Its lines that were not there before.
    pub new: Vec<String>,
    /// How it comes into force.
    pub change: Change,
}

/// A group that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// It is not in the file any more.
    Removed {
        /// Its first resource.
        key: String,
        /// All its resources; where they run, they are stopped.
        stopped: Vec<String>,
    },
    /// It was not in the file before.
    Added {
        /// Its first resource.
        key: String,
        /// The node that it prefers.
        node: String,
        /// All its resources.
        started: Vec<String>,
    },
    /// It has other resources.
    Resources {
        /// Its first resource.
        key: String,
        /// How many stay as they are, from the left.
        stay: usize,
        /// What is stopped where the group runs, in the order of the old line.
        stopped: Vec<String>,
        /// What is started there then, in the order of the new line.
        started: Vec<String>,
    },
    /// It prefers another node.
    Preferred {
        /// Its first resource.
        key: String,
        /// That node.
        node: String,
    },
}

impl Changes {
    /// From what is `used` to what was read now.
    pub fn between(used: &Config, read: &Config) -> Self {
        let local = used.local_node != read.local_node;
        let sorted = |config: &Config| config.nodes.iter().cloned().collect::<BTreeSet<_>>();
        Self {
            directives: directives(used, read),
            groups: groups(&used.groups, &read.groups),
            keys: used.keys != read.keys,
            nodes: local || sorted(used) != sorted(read),
        }
    }

    /// Whether everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.directives.is_empty() && self.groups.is_empty() && !self.keys && !self.nodes
    }

    /// Whether something waits for a restart of the daemon.
    pub fn want_restart(&self) -> bool {
        let waits = |change: &DirectiveChange| matches!(change.change, Change::Restart(_));
        self.nodes || self.directives.iter().any(waits)
    }

    /// A line for each change.
    pub fn lines(&self) -> Vec<String> {
        let directives = self.directives.iter().flat_map(DirectiveChange::lines);
        let groups = self
            .groups
            .iter()
            .map(|change| format!("haresources: {change}"));
        let keys = self.keys.then(|| "authkeys: new keys".to_owned());
        directives.chain(groups).chain(keys).collect()
    }

    /// A resource that goes from one group to another, with the two groups: one would stop it while the other looks
    /// whether it runs.
    pub fn wanderer(&self) -> Option<(String, String, String)> {
        let mut left: BTreeMap<String, &str> = BTreeMap::new();
        for change in &self.groups {
            let words = change.stopped().iter().map(|word| identity(word));
            left.extend(words.map(|word| (word, change.key())));
        }
        self.groups.iter().find_map(|change| {
            let key = change.key();
            change.started().iter().find_map(|word| {
                let from = left.get(&identity(word)).filter(|from| **from != key)?;
                Some((word.clone(), (*from).to_owned(), key.to_owned()))
            })
        })
    }
}

impl Changes {
    /// A resource that is to be started of those that are still being stopped, each with the key of its group.
    pub fn started_of(&self, leaving: &[(String, String)]) -> Option<String> {
        let leaving: Vec<(String, &str)> = leaving
            .iter()
            .map(|(key, word)| (identity(word), key.as_str()))
            .collect();
        self.groups.iter().find_map(|change| {
            let is_leaving = |word: &&String| {
                let word = identity(word);
                leaving
                    .iter()
                    .any(|(gone, key)| *gone == word && *key != change.key())
            };
            change.started().iter().find(is_leaving).cloned()
        })
    }
}

impl DirectiveChange {
    fn lines(&self) -> Vec<String> {
        let name = self.name;
        let told = match (self.gone.as_slice(), self.new.as_slice()) {
            ([gone], [new]) => vec![format!("`{name} {gone}` becomes `{name} {new}`")],
            ([], []) => vec![format!("the lines with `{name}` are in another order")],
            (gone, new) => {
                let gone = gone
                    .iter()
                    .map(|text| format!("`{name} {text}` is removed"));
                let new = new.iter().map(|text| format!("`{name} {text}` is added"));
                gone.chain(new).collect()
            }
        };
        let remark = match self.change {
            Change::Reload => String::new(),
            Change::Restart(reason) => format!(": wants a restart of heartbeat, for {reason}"),
            Change::Nothing => ", without effect".to_owned(),
        };
        told.into_iter()
            .map(|text| format!("ha.cf: {text}{remark}"))
            .collect()
    }
}

impl GroupChange {
    fn key(&self) -> &str {
        match self {
            Self::Removed { key, .. }
            | Self::Added { key, .. }
            | Self::Resources { key, .. }
            | Self::Preferred { key, .. } => key,
        }
    }

    fn stopped(&self) -> &[String] {
        match self {
            Self::Removed { stopped, .. } | Self::Resources { stopped, .. } => stopped,
            _ => &[],
        }
    }

    fn started(&self) -> &[String] {
        match self {
            Self::Added { started, .. } | Self::Resources { started, .. } => started,
            _ => &[],
        }
    }
}

impl fmt::Display for GroupChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed { key, .. } => {
                write!(f, "group {key} is removed: stopped where it runs")
            }
            Self::Added { key, node, started } => {
                let words = started.join(" ");
                write!(f, "group {key} is added, preferring {node}: {words}")
            }
            Self::Resources {
                key,
                stay,
                stopped,
                started,
            } => {
                write!(f, "group {key} changes: where it runs, ")?;
                if !stopped.is_empty() {
                    let words: Vec<&str> = stopped.iter().rev().map(String::as_str).collect();
                    write!(f, "stop {}, ", words.join(" "))?;
                }
                if !started.is_empty() {
                    write!(f, "start {}, ", started.join(" "))?;
                }
                write!(f, "and the first {stay} stay as they are")
            }
            Self::Preferred { key, node } => write!(f, "group {key} now prefers {node}"),
        }
    }
}

/// An address is the same however it is written.
fn identity(text: &str) -> String {
    match parse_address(&ResourceWord::new(text)) {
        Some(Ok(spec)) => IpAddr::to_string(&spec.address),
        _ => text.to_owned(),
    }
}

fn directives(used: &Config, read: &Config) -> Vec<DirectiveChange> {
    let changes = DIRECTIVES.iter().map(|directive| {
        let of = |config: &Config| -> Vec<String> {
            let lines = config.lines.iter();
            let own = lines.filter(|(name, _)| *name == directive.name);
            own.map(|(_, text)| text.clone()).collect()
        };
        let (before, after) = (of(used), of(read));
        let without = |these: &[String], others: &[String]| -> Vec<String> {
            let others: BTreeSet<&String> = others.iter().collect();
            let rest = these.iter().filter(|text| !others.contains(text));
            rest.cloned().collect()
        };
        let change = DirectiveChange {
            name: directive.name,
            gone: without(&before, &after),
            new: without(&after, &before),
            change: match directive.change {
                Change::Reload if turns_legacy(used, read) && is_failback(directive.name) => {
                    Change::Restart(LEGACY)
                }
                change => change,
            },
        };
        let is_order_only = change.gone.is_empty() && change.new.is_empty();
        let is_same = if directive.repeat == Repeat::Adds {
            before == after
        } else {
            is_order_only
        };
        (!is_same).then_some(change)
    });
    changes.flatten().collect()
}

const LEGACY: &str = "nodes with and without `legacy` talk to each other in different ways";

fn is_failback(directive: &str) -> bool {
    matches!(directive, "auto_failback" | "nice_failback")
}

fn turns_legacy(used: &Config, read: &Config) -> bool {
    let is_legacy = |config: &Config| config.auto_failback == AutoFailback::Legacy;
    is_legacy(used) != is_legacy(read)
}

fn groups(used: &[Group], read: &[Group]) -> Vec<GroupChange> {
    let texts = |words: &[ResourceWord]| -> Vec<String> {
        words.iter().map(|word| word.text.clone()).collect()
    };
    let kept: BTreeMap<&str, &Group> = read.iter().map(|group| (group.key(), group)).collect();
    let before: BTreeMap<&str, &Group> = used.iter().map(|group| (group.key(), group)).collect();
    let removed = used.iter().filter(|group| !kept.contains_key(group.key()));
    let mut changes: Vec<GroupChange> = removed
        .map(|group| GroupChange::Removed {
            key: group.key().to_owned(),
            stopped: texts(&group.resources),
        })
        .collect();
    for group in read {
        let key = group.key().to_owned();
        let node = group.preferred.clone();
        let Some(old) = before.get(group.key()) else {
            let started = texts(&group.resources);
            changes.push(GroupChange::Added { key, node, started });
            continue;
        };
        if old.preferred != group.preferred {
            let key = key.clone();
            changes.push(GroupChange::Preferred { key, node });
        }
        let stay = common(&old.resources, &group.resources);
        let rest = |words: &[ResourceWord]| texts(words.get(stay..).unwrap_or_default());
        let (stopped, started) = (rest(&old.resources), rest(&group.resources));
        if !stopped.is_empty() || !started.is_empty() {
            changes.push(GroupChange::Resources {
                key,
                stay,
                stopped,
                started,
            });
        }
    }
    changes
}

/// How many resources two groups have in common, from the left. What stands further right relies on what stands left
/// of it, so all from the first difference on is stopped and started again.
pub fn common(old: &[ResourceWord], new: &[ResourceWord]) -> usize {
    let pairs = old.iter().zip(new);
    pairs.take_while(|(old, new)| old == new).count()
}

/// What is in force after a reload: what was read, but for all that wants a restart.
pub fn merged(used: &Config, read: Config) -> Config {
    let waits = |name: &str| {
        let directive = DIRECTIVES.iter().find(|directive| directive.name == name);
        let waits = directive.is_some_and(|found| matches!(found.change, Change::Restart(_)));
        waits || (is_failback(name) && turns_legacy(used, &read))
    };
    let join = |of_used: &[(String, String)], of_read: &[(String, String)]| {
        let old = of_used.iter().filter(|(name, _)| waits(name));
        let new = of_read.iter().filter(|(name, _)| !waits(name));
        let all: BTreeMap<_, _> = old.chain(new).cloned().collect();
        let in_order = DIRECTIVES.iter().filter_map(|directive| {
            let value = all.get(directive.name)?;
            Some((directive.name.to_owned(), value.clone()))
        });
        in_order.collect()
    };
    let old_lines = used.lines.iter().filter(|(name, _)| waits(name));
    let new_lines = read.lines.iter().filter(|(name, _)| !waits(name));
    let mut lines: Vec<_> = old_lines.chain(new_lines).cloned().collect();
    lines.sort_by_key(|(name, _)| *name);
    let terms = terms::merged(&used.terms, read.terms.clone(), waits);
    let (auto_failback, failback) = if waits("auto_failback") {
        (used.auto_failback, used.failback.clone())
    } else {
        (read.auto_failback, read.failback.clone())
    };
    let parameters = join(&used.parameters, &read.parameters);
    let kept = used.clone();
    Config {
        local_node: kept.local_node,
        peer_node: kept.peer_node,
        nodes: kept.nodes,
        media: kept.media,
        ping_nodes: kept.ping_nodes,
        watchdog: kept.watchdog,
        realtime: kept.realtime,
        rtprio: kept.rtprio,
        coredumps: kept.coredumps,
        coreroot: kept.coreroot,
        msgfmt: kept.msgfmt,
        hopfudge: kept.hopfudge,
        generation_from_time: kept.generation_from_time,
        uuid_from_node_name: kept.uuid_from_node_name,
        respawn: kept.respawn,
        apiauth: kept.apiauth,
        metrics: kept.metrics,
        fencing: kept.fencing,
        last_link: kept.last_link,
        stop_failure: kept.stop_failure,
        auto_failback,
        failback,
        parameters,
        lines,
        terms,
        ..read
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;

    use super::super::{Reader, Source, load};
    use super::*;

    const HARESOURCES: &str = "vm3 10.0.0.1 nginx\nvm4 10.0.0.2 Filesystem::a::b\n";
    /// What every configuration needs.
    const HA_CF: &str = "node vm3 vm4\nbcast eth7\nauto_failback on\n";

    struct Files(BTreeMap<&'static str, String>);

    impl Reader for Files {
        fn read(&self, path: &Path) -> io::Result<Source> {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            let text = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
            Ok(Source {
                text: text.clone().into_bytes(),
                mode: 0o600,
            })
        }
    }

    fn config(ha_cf: &str, haresources: &str) -> Config {
        let files = Files(BTreeMap::from([
            ("ha.cf", ha_cf.to_owned()),
            ("authkeys", "auth 1\n1 sha1 secret\n".to_owned()),
            ("haresources", haresources.to_owned()),
            ("stonith.baytech", "10.0.0.9 a b vm3 vm4\n".to_owned()),
        ]));
        match load(Path::new("/etc/ha.d"), "vm3", &files) {
            Ok((config, _)) => config,
            Err(diagnostics) => panic!("{}", diagnostics.render(false)),
        }
    }

    fn lines(before: (&str, &str), after: (&str, &str)) -> Vec<String> {
        Changes::between(&config(before.0, before.1), &config(after.0, after.1)).lines()
    }

    #[test]
    fn every_directive_comes_into_force_as_the_table_says() {
        let used = config(HA_CF, HARESOURCES);
        for directive in DIRECTIVES {
            let name = directive.name;
            let (line, reason) = match name {
                "node" => ("node vm3 vm5".to_owned(), "another peer"),
                "nice_failback" => ("nice_failback on".to_owned(), "auto_failback on is gone"),
                "baud" => ("serial /dev/ttyS0\nbaud 115200".to_owned(), ""),
                "serial_flow" => ("serial /dev/ttyS0\nserial_flow none".to_owned(), ""),
                "monitor" => ("monitor nginx every=7s".to_owned(), ""),
                "watchdog_policy" => (
                    "watchdog /dev/watchdog\nwatchdog_policy wanted".to_owned(),
                    "",
                ),
                "watchdog" => ("deadtime 20\nwatchdog /dev/watchdog".to_owned(), ""),
                _ => (directive.example.to_owned(), ""),
            };
            let ha_cf = match name {
                "node" => format!("{line}\nbcast eth7\nauto_failback on\n"),
                "auto_failback" => HA_CF.replace("auto_failback on", "auto_failback off"),
                "nice_failback" => HA_CF.replace("auto_failback on", &line),
                _ => format!("{HA_CF}{line}\n"),
            };
            let haresources =
                HARESOURCES.replace("vm4", if name == "node" { "vm3" } else { "vm4" });
            if matches!(directive.change, Change::Nothing) {
                continue;
            }
            let read = config(&ha_cf, &haresources);
            let changes = Changes::between(&used, &read);
            assert!(!changes.is_empty(), "{name} {reason}");
            let shown = format!("{:?}", merged(&used, read.clone()));
            let changed = |config: &Config| format!("{config:?}");
            match directive.change {
                Change::Reload => assert_eq!(
                    shown,
                    changed(&read),
                    "`merged` must take {name} from what was read"
                ),
                _ if name == "node" => assert!(changes.nodes && changes.want_restart()),
                _ => {
                    // Where other lines are needed for it, those of them that a reload applies are applied.
                    let is_kept = |line: &&str| {
                        HA_CF.lines().any(|other| other == *line)
                            || line.split(' ').next() != Some(name)
                    };
                    let rest: Vec<&str> = ha_cf.lines().filter(is_kept).collect();
                    let rest = rest.join("\n") + "\n";
                    let rest = merged(&used, config(&rest, &haresources));
                    assert_eq!(
                        shown,
                        changed(&rest),
                        "`merged` must keep {name}, or the table must say that a reload applies it"
                    );
                    assert!(changes.want_restart(), "{name}");
                }
            }
        }
    }

    #[test]
    fn every_change_is_told_in_words() {
        let before = (HA_CF, HARESOURCES);
        let after = (
            "node vm4 vm3\nbcast eth7\nbcast eth8\nauto_failback off\nkeepalive 2\n",
            "vm4 10.0.0.1 10.0.0.9 nginx\nvm3 10.0.0.3 nginx2\n",
        );
        assert_eq!(
            lines(before, after),
            [
                "ha.cf: the lines with `node` are in another order: wants a restart of heartbeat, for this daemon is one \
                 of the nodes that it began with",
                "ha.cf: `keepalive 2` is added",
                "ha.cf: `auto_failback on` becomes `auto_failback off`",
                "ha.cf: `bcast eth8` is added: wants a restart of heartbeat, for links are opened when heartbeat starts",
                "haresources: group 10.0.0.2 is removed: stopped where it runs",
                "haresources: group 10.0.0.1 now prefers vm4",
                "haresources: group 10.0.0.1 changes: where it runs, stop nginx, start 10.0.0.9 nginx, and the first 1 \
                 stay as they are",
                "haresources: group 10.0.0.3 is added, preferring vm3: 10.0.0.3 nginx2",
            ]
        );
        assert_eq!(lines(before, before), Vec::<String>::new());
        let swapped = (
            HA_CF,
            "vm4 10.0.0.2 Filesystem::a::b\nvm3   10.0.0.1 nginx # the web\n",
        );
        assert_eq!(
            lines(before, swapped),
            Vec::<String>::new(),
            "order and comments"
        );
    }

    #[test]
    fn legacy_is_neither_entered_nor_left_by_a_reload() {
        let (used, read) = (HA_CF, HA_CF.replace("auto_failback on\n", ""));
        let (used, read) = (config(used, HARESOURCES), config(&read, HARESOURCES));
        for (used, read) in [(&used, &read), (&read, &used)] {
            assert!(Changes::between(used, read).want_restart());
            let merged = merged(used, read.clone());
            assert_eq!(format!("{merged:?}"), format!("{used:?}"));
        }
    }

    #[test]
    fn what_is_still_being_stopped_elsewhere_is_not_started() {
        let read = "vm3 10.0.0.1 nginx\nvm4 10.0.0.2 Filesystem::a::b\nvm3 10.0.0.9 tomcat\n";
        let changes = Changes::between(&config(HA_CF, HARESOURCES), &config(HA_CF, read));
        let started_of = |key: &str, word: &str| {
            let leaving = [(key.to_owned(), word.to_owned())];
            changes.started_of(&leaving)
        };
        assert_eq!(started_of("old", "tomcat").as_deref(), Some("tomcat"));
        assert_eq!(
            started_of("old", "IPaddr::10.0.0.9/24").as_deref(),
            Some("10.0.0.9")
        );
        assert_eq!(
            started_of("10.0.0.9", "tomcat"),
            None,
            "it comes back itself"
        );
        assert_eq!(started_of("old", "nginx"), None, "it is not started");
    }

    #[test]
    fn a_resource_that_goes_from_group_to_group_is_found() {
        let wanderer = |after: &str| {
            let (used, read) = (config(HA_CF, HARESOURCES), config(HA_CF, after));
            Changes::between(&used, &read).wanderer()
        };
        let found = |word: &str, from: &str, to: &str| {
            Some((word.to_owned(), from.to_owned(), to.to_owned()))
        };
        for (after, expected) in [
            (HARESOURCES, None),
            (
                "vm3 10.0.0.1\nvm3 nginx\nvm4 10.0.0.2",
                found("nginx", "10.0.0.1", "nginx"),
            ),
            (
                "vm3 10.0.0.1/24 nginx\n",
                found("10.0.0.1/24", "10.0.0.1", "10.0.0.1/24"),
            ),
            (
                "vm3 10.0.0.1 IPaddr2::10.0.0.2 nginx\n",
                found("IPaddr2::10.0.0.2", "10.0.0.2", "10.0.0.1"),
            ),
            ("vm3 10.0.0.1 10.0.0.9 nginx\n", None),
            ("vm3 10.0.0.1\n", None),
        ] {
            assert_eq!(wanderer(after), expected, "{after}");
        }
    }
}
