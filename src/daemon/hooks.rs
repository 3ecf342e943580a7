//! The scripts in `rc.d`, which are told when the other node or a link to it changes, and what scripts of either node
//! send. They run one at a time in the order of what happened, and nobody waits for them.

mod occasion;
mod scripts;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::{Registry, Token};

use super::children::{
    ChildId, Children, End, Ended, Kind, Leftovers, Order, Owner, Surroundings, reason,
};
use crate::cluster::{Instant, NodeStatus, Report, ScriptMessage};
use crate::config::{Config, DIRECTIVES};
use crate::resource::Invocation;
use occasion::Occasion;

/// A script that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(60);
/// So many occasions wait for their script. Then the oldest is forgotten: what is true now is among the latest.
const QUEUE: usize = 100;
/// Long past, so: at once.
const AT_ONCE: Instant = Instant::from_micros(0);

/// The name that lines in the log bear, for the script of 3.0.6 that ran them.
const TAG: &str = "harc(default)";

/// The scripts, and what they are still to be told.
#[derive(Debug)]
pub struct Hooks {
    directory: PathBuf,
    scripts: BTreeSet<String>,
    /// Names of variables that are ours, without `HA_`.
    taken: BTreeSet<String>,
    /// Where scripts put messages.
    fifo: PathBuf,
    children: Children,
    /// As long as there are any, none is run.
    leftovers: Leftovers,
    waiting: VecDeque<(Occasion, NodeStatus)>,
    running: Option<(ChildId, String)>,
    /// How many were forgotten since that was said.
    forgotten: u64,
}

impl Hooks {
    /// Looks for scripts, which put messages into `fifo`. Child output is signalled under `token`. Reads the disk: to be
    /// called while the daemon starts.
    pub fn new(
        now: Instant,
        config: &Config,
        fifo: &Path,
        owner: Owner,
        registry: Registry,
        token: Token,
    ) -> Self {
        let directory = config.directory.join("rc.d");
        let scripts = scripts::find(&directory);
        let leftovers = if scripts.is_empty() {
            Leftovers::default()
        } else {
            Leftovers::find(Kind::Hook, &owner, now)
        };
        let surroundings = Surroundings::new(config, owner, Kind::Hook);
        let taken = taken(&surroundings);
        Self {
            directory,
            scripts,
            taken,
            fifo: fifo.to_owned(),
            children: Children::new(registry, token, surroundings),
            leftovers,
            waiting: VecDeque::new(),
            running: None,
            forgotten: 0,
        }
    }

    /// Looks again for scripts, as when the other files are read again.
    pub fn look_again(&mut self) {
        self.scripts = scripts::find(&self.directory);
    }

    /// What the scripts find around them, from the next one on.
    pub fn surround(&mut self, config: &Config) {
        self.children.surround(config);
        self.taken = taken(self.children.surroundings());
    }

    /// Notes what the core tells. `local_status` is that of this node, `wall_seconds` is now.
    pub fn heed(&mut self, report: &Report, local_status: NodeStatus, wall_seconds: u64) {
        if let Some(occasion) = Occasion::of(report, wall_seconds) {
            self.note(occasion, local_status);
        }
    }

    /// Notes what a script of a node, `source`, sent. Otherwise as [`heed`](Self::heed).
    pub fn hear(
        &mut self,
        source: String,
        message: &ScriptMessage,
        local_status: NodeStatus,
        wall_seconds: u64,
    ) {
        let is_taken = |name: &str| self.taken.contains(name);
        let occasion = Occasion::of_message(source, message, wall_seconds, is_taken);
        self.note(occasion, local_status);
    }

    fn note(&mut self, occasion: Occasion, local_status: NodeStatus) {
        if !self.scripts.contains(&occasion.kind) {
            return;
        }
        if self.waiting.len() >= QUEUE {
            self.waiting.pop_front();
            if self.forgotten == 0 {
                log::warn!(
                    target: TAG,
                    "More than {QUEUE} changes wait for the scripts in {}: the oldest are not told to them",
                    self.directory.display()
                );
            }
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.waiting.push_back((occasion, local_status));
    }

    /// Goes on as far as possible. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant) {
        if self.leftovers.remain(now) {
            return;
        }
        self.children.turn(now);
        while let Some(ended) = self.children.next_ended() {
            self.tell_end(&ended);
        }
        if self.running.is_none()
            && let Some((occasion, local_status)) = self.waiting.pop_front()
        {
            self.run(now, occasion, local_status);
        }
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if let Some(look) = self.leftovers.next_deadline() {
            return Some(look);
        }
        let at_once = (self.running.is_none() && !self.waiting.is_empty()).then_some(AT_ONCE);
        at_once.or(self.children.next_deadline())
    }

    fn run(&mut self, now: Instant, occasion: Occasion, local_status: NodeStatus) {
        let Occasion { kind, fields } = occasion;
        let program = self.directory.join(&kind);
        log::info!(target: TAG, "Running {} {kind}", program.display());
        let fields = fields
            .into_iter()
            // The status of this node, whatever the name suggests: so it is with 3.0.6.
            .chain([
                ("OSTATUS".to_owned(), local_status.word().to_owned()),
                ("FIFO".to_owned(), self.fifo.display().to_string()),
            ]);
        let variables = fields
            .map(|(name, value)| (format!("HA_{name}"), value))
            .collect();
        let order = Order {
            invocation: &Invocation::new(program, vec![kind.clone()]).with(variables),
            tag: TAG.to_owned(),
            limit: LIMIT,
        };
        match self.children.spawn(now, order) {
            Ok(child) => self.running = Some((child, kind)),
            Err(error) => log::error!(target: TAG, "Cannot run the script {kind}: {error}"),
        }
    }

    fn tell_end(&mut self, ended: &Ended) {
        let Some((_, kind)) = self.running.take_if(|(child, _)| *child == ended.child) else {
            return;
        };
        let how = match ended.end {
            End::Exited(0) => return,
            End::Exited(code) => format!("returned {code}"),
            End::Killed(signal) => format!("was killed by signal {signal}"),
            End::NeverRan(number) => format!("cannot be run: {}", reason(number)),
            End::TimedOut => format!("did not end within {} s and was killed", LIMIT.as_secs()),
        };
        log::warn!(target: TAG, "The script {kind} {how}");
        for line in &ended.last_lines {
            log::info!(target: TAG, "{line}");
        }
    }
}

/// What the fields of a message must not be named like: variables that scripts have of us.
fn taken(surroundings: &Surroundings) -> BTreeSet<String> {
    let variables = surroundings.environment.iter();
    let ours = variables.filter_map(|(name, _)| name.to_str()?.strip_prefix("HA_"));
    let directives = DIRECTIVES.iter().map(|directive| directive.name);
    ours.chain(directives).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use mio::Poll;

    use super::*;
    use crate::config::{self, Source};
    use crate::daemon::clock;
    use crate::os::process::pause;

    fn config(directory: &Path) -> Config {
        let read = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let text = match name {
                Some("ha.cf") => "node here there\nbcast eth0\n",
                Some("authkeys") => "auth 1\n1 sha1 key\n",
                Some("haresources") => "",
                _ => return Err(std::io::ErrorKind::NotFound.into()),
            };
            let (text, mode) = (text.into(), 0o600);
            Ok(Source { text, mode })
        };
        config::load(directory, "here", &read).expect("valid").0
    }

    #[test]
    fn of_a_thousand_changes_the_last_ones_are_told_in_order_and_one_at_a_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let (scripts, seen) = (directory.path().join("rc.d"), directory.path().join("seen"));
        fs::create_dir(&scripts).expect("made");
        let script = format!(
            "#!/bin/sh\necho begin $HA_ifname >> {seen}\necho end >> {seen}\n",
            seen = seen.display()
        );
        fs::write(scripts.join("ifstat"), script).expect("written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scripts.join("ifstat"), mode).expect("set");
        let poll = Poll::new().expect("a poll");
        let registry = poll.registry().try_clone().expect("a registry");
        let owner = Owner::of(directory.path()).expect("ours");
        let config = config(directory.path());
        let fifo = directory.path().join("fifo");
        let mut hooks = Hooks::new(clock::now(), &config, &fifo, owner, registry, Token(0));
        for number in 0..1000 {
            let (node, link) = ("there".to_owned(), number.to_string());
            let report = Report::LinkUp { node, link };
            hooks.heed(&report, NodeStatus::Active, 0);
        }
        while hooks.next_deadline().is_some() {
            hooks.turn(clock::now());
            pause(Duration::from_millis(1));
        }
        let told = fs::read_to_string(seen).expect("written");
        let expected = (900..1000).map(|number| format!("begin {number}\nend\n"));
        assert_eq!(told, expected.collect::<String>());
    }
}
