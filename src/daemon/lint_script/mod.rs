//! `heartbeat lint-script`: starts and stops a resource as a pair would, twice where it must not mind, and says in
//! words what its script does wrong.

mod judgement;
mod options;
mod runner;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::children::{End, Ended, reason};
use super::disk::{Disk, load};
use super::exit_status::{DONE, FAILED, USAGE_ERROR};
use super::resources::make_scratch;
use super::terminal::say;
use crate::config::{ResourceWord, Timeout};
use crate::control;
use crate::resource::catalogue::{Places, Resource};
use crate::resource::meta_data::MetaData;
use crate::resource::soundness::{self, Format};
use crate::resource::{Action, Invocation, Limits, Standing};
use judgement::{Expected, Finding, Grade, judge};

pub use options::{Options, parse};
pub use runner::Runner;

/// The question to an agent about itself.
const META_DATA: &str = "meta-data";
/// What is done, and what is expected of it.
const STEPS: [(Action, Expected); 6] = [
    (Action::Start, Expected::Success("a start")),
    (Action::Start, Expected::Success("a start of what runs")),
    (Action::Status, Expected::Running),
    (Action::Stop, Expected::Success("a stop")),
    (Action::Stop, Expected::Success("a stop of what is stopped")),
    (Action::Status, Expected::Stopped),
];

/// Tries one script; gives back the exit status.
pub fn run(options: &Options, places: &control::Places) -> u8 {
    let config = load(places, &Disk::default())
        .ok()
        .map(|(config, _)| config);
    let found = match &config {
        Some(config) => find(options, &Places::new(&config.directory)),
        None => find(options, &Places::new(&places.configuration)),
    };
    let (word, resource) = match found {
        Ok(found) => found,
        Err(error) => {
            print(&format!("fault: {error}\n1 fault\n"));
            return FAILED;
        }
    };
    if let Resource::Address { .. } = resource {
        say(&format!(
            "heartbeat: {} is built in: there is no script to try\n",
            word.name
        ));
        return USAGE_ERROR;
    }
    let haresources = places.configuration.join("haresources");
    let groups = std::fs::read(&haresources).unwrap_or_default();
    if !options.force
        && let Some(line) = line_about(&String::from_utf8_lossy(&groups), &word)
    {
        say(&format!(
            "heartbeat: {} is in line {line} of {}: the other node may run it, and a disk that both use is lost. Make \
             sure that it runs on neither node, then say --force\n",
            word.text,
            haresources.display()
        ));
        return USAGE_ERROR;
    }
    let runner = match Runner::new(config.as_ref(), &places.configuration) {
        Ok(runner) => runner,
        Err(error) => {
            say(&format!("heartbeat: cannot run anything: {error}\n"));
            return FAILED;
        }
    };
    let trial = Trial {
        word,
        resource,
        runner,
        timeouts: config.map(|config| config.timeouts).unwrap_or_default(),
        limit: options.limit,
        meta_data: MetaData::default(),
        force: options.force,
        faults: 0,
    };
    trial.run()
}

/// The resource that is meant, as `haresources` would name it.
fn find(options: &Options, places: &Places) -> Result<(ResourceWord, Resource), String> {
    let words = [std::slice::from_ref(&options.name), &options.arguments].concat();
    let word = ResourceWord::new(&words.join("::"));
    let resource = if options.name.contains('/') && !options.name.contains("::") {
        let path =
            std::path::absolute(Path::new(&options.name)).map_err(|error| error.to_string())?;
        places.at(&path, &options.arguments)
    } else {
        places.find(&word)
    };
    resource
        .map(|resource| (word, resource))
        .map_err(|error| error.to_string())
}

/// The line of `haresources` that names the resource; without arguments, any that names its script. Where the other
/// files are wrong, or may not be read, this one counts all the same.
fn line_about(haresources: &str, word: &ResourceWord) -> Option<usize> {
    let name = Path::new(&word.name).file_name()?.to_str()?;
    let is_meant = |text: &str| {
        let other = ResourceWord::new(text);
        let is_same = word.arguments.is_empty() || other.arguments == word.arguments;
        other.text == word.text || (other.name == name && is_same)
    };
    let is_about = |line: &str| {
        let words = line.split('#').next().unwrap_or_default();
        words
            .trim_end_matches('\\')
            .split_whitespace()
            .any(is_meant)
    };
    let mut lines = haresources.lines().zip(1..);
    lines
        .find(|(line, _)| is_about(line))
        .map(|(_, number)| number)
}

/// One resource on trial.
struct Trial {
    word: ResourceWord,
    resource: Resource,
    runner: Runner,
    /// What `ha.cf` says of limits, and what stands before it.
    timeouts: Vec<Timeout>,
    limit: Option<Duration>,
    meta_data: MetaData,
    force: bool,
    faults: usize,
}

impl Trial {
    fn run(mut self) -> u8 {
        self.look_at_file();
        self.ask_meta_data();
        let before = self.act(Action::Status, Expected::Anything);
        if matches!(before, Some(Standing::Running | Standing::Unknown)) {
            if !self.force {
                say(&format!(
                    "heartbeat: {} runs already, or its status fails. Stop it, or say --force, which stops it first\n",
                    self.word.text
                ));
                return USAGE_ERROR;
            }
            self.act(Action::Stop, Expected::Success("a stop"));
        }
        for (number, (action, expected)) in STEPS.into_iter().enumerate() {
            let failed = self.act(action, expected).is_none();
            if self.runner.is_interrupted() {
                return self.give_up("interrupted; stopping it again");
            }
            if number == 0 && failed {
                return self.give_up("it did not start, so the rest was not tried");
            }
        }
        self.sum_up()
    }

    /// Leaves nothing running.
    fn give_up(&mut self, reason: &str) -> u8 {
        print(&format!("{reason}\n"));
        self.act(
            Action::Stop,
            Expected::Success("a stop after a failed or interrupted start"),
        );
        self.act(Action::Status, Expected::Stopped);
        self.faults = self.faults.max(1);
        self.sum_up()
    }

    fn sum_up(&self) -> u8 {
        match self.faults {
            0 => print("no faults\n"),
            1 => print("1 fault\n"),
            many => print(&format!("{many} faults\n")),
        }
        if self.faults == 0 { DONE } else { FAILED }
    }

    fn look_at_file(&mut self) {
        let Resource::Script { path, .. } = &self.resource else {
            return;
        };
        let is_unmarked =
            soundness::head(path).is_ok_and(|head| soundness::format(&head) == Format::Unmarked);
        if is_unmarked {
            self.tell(&[Finding::fault(
                "the script does not begin with `#!`: `/bin/sh` runs it, whatever it was written for".into(),
            )]);
        }
    }

    /// Agents say how long their actions may take, and what parameters they have.
    fn ask_meta_data(&mut self) {
        let Resource::Agent(agent) = &self.resource else {
            return;
        };
        let (invocation, given) = (agent.meta_data(), agent.parameters.clone());
        let Some(ended) = self.call(META_DATA, &invocation, self.limit(Action::Status)) else {
            return;
        };
        make_scratch();
        let meta_data = MetaData::read(&ended.stdout);
        let mut findings = Vec::new();
        if ended.end != End::Exited(0) || meta_data == MetaData::default() {
            findings.push(Finding::fault(
                "meta-data: nothing that could be understood: its actions have the usual time limits".into(),
            ));
        }
        let complaints = meta_data.complaints(&given);
        findings.extend(complaints.into_iter().map(Finding::fault));
        self.tell(&findings);
        self.meta_data = meta_data;
    }

    fn limit(&self, action: Action) -> Duration {
        let advice = Some(&self.meta_data);
        let usual = Limits::default().for_one(&self.timeouts, &self.word, action, advice);
        self.limit.unwrap_or(usual)
    }

    /// Carries out one action and judges it. `None` when it failed; of a start or stop that did not, nothing is
    /// known beyond that.
    fn act(&mut self, action: Action, expected: Expected) -> Option<Standing> {
        let limit = self.limit(action);
        let invocation = self.resource.invocation(action, limit);
        let ended = self.call(action.word(), &invocation, limit)?;
        let findings = judge(&self.resource, action, expected, &ended, limit);
        self.tell(&findings);
        if self.runner.leaves_output_held() {
            self.tell(&[Finding::fault(format!(
                "{}: a process that runs on has the script's output: start services with \
                 `</dev/null >/dev/null 2>&1`",
                action.word()
            ))]);
        }
        match (action, ended.end) {
            (Action::Status, End::Exited(code)) => Some(self.resource.standing(
                &ended.stdout,
                &ended.last_lines,
                code,
            )),
            (Action::Status, _) | (_, End::Exited(0)) => Some(Standing::Unknown),
            _ => None,
        }
    }

    fn call(&mut self, what: &str, invocation: &Invocation, limit: Duration) -> Option<Ended> {
        match self.runner.call(invocation, limit) {
            Ok(ended) => {
                let end = match ended.end {
                    End::Exited(code) => format!("exit code {code}"),
                    End::Killed(signal) => format!("signal {signal}"),
                    End::TimedOut => "killed".to_owned(),
                    End::NeverRan(number) => format!("cannot be run: {}", reason(number)),
                };
                let took = ended.took.as_secs_f64();
                print(&format!("{what:<9} {took:>6.1} s  {end}\n"));
                // The document that an agent prints when it can be asked is of no interest.
                let is_document = what == META_DATA && ended.end == End::Exited(0);
                for line in ended.last_lines.iter().filter(|_| !is_document) {
                    let shown = line.replace(char::is_control, "?"); // nothing for the terminal to obey
                    print(&format!("        | {shown}\n"));
                }
                Some(ended)
            }
            Err(error) => {
                self.tell(&[Finding::fault(format!("{what}: cannot be run: {error}"))]);
                None
            }
        }
    }

    fn tell(&mut self, findings: &[Finding]) {
        for finding in findings {
            match finding.grade {
                Grade::Fault => {
                    self.faults = self.faults.saturating_add(1);
                    print(&format!("fault: {}\n", finding.text));
                }
                Grade::Note => print(&format!("note: {}\n", finding.text)),
            }
        }
    }
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()); // whoever listened is gone
}
