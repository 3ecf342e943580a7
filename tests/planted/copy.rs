//! A copy of the source tree in which one file is changed at a time, and the simulator built from it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::bugs::{Bug, Search};

/// What the copy needs to build the simulator.
const PARTS: [&str; 5] = ["Cargo.toml", "Cargo.lock", "src", "tests", "benches"];

/// How a mistake was caught.
pub struct Catch {
    /// By which run.
    pub runs: u64,
    /// Which rule it broke.
    pub rule: String,
}

/// Why nothing can be said.
#[derive(Debug)]
pub enum Failure {
    /// Of the file system, or no cargo.
    Io(PathBuf, io::Error),
    /// The place of a mistake is not there, or more than once.
    NoPlace(&'static str, &'static str),
    /// The copy with the mistake does not build.
    Build(&'static str, String),
    /// The simulator failed without naming a seed.
    Silent(&'static str, String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoPlace(bug, file) => write!(
                f,
                "{bug}: its place does not stand exactly once in src/{file}; change tests/planted/bugs.rs with the source"
            ),
            Self::Build(bug, output) => write!(f, "{bug}: does not build\n{output}"),
            Self::Silent(bug, output) => write!(f, "{bug}: no seed was named\n{output}"),
        }
    }
}

/// The copy, below `target`.
pub struct Copy {
    source: PathBuf,
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Of the tree that this program was built from.
    pub fn of_this_tree() -> Result<Self, Failure> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let place = source.join("target/planted");
        let tree = place.join("tree");
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|error| Failure::Io(tree.clone(), error))?;
        }
        fs::create_dir_all(&tree).map_err(|error| Failure::Io(tree.clone(), error))?;
        for part in PARTS {
            copy(&source.join(part), &tree.join(part))?;
        }
        Ok(Self {
            source,
            tree,
            target: place.join("built"),
        })
    }

    /// Plants one mistake, and takes it out again.
    pub fn with(&self, bug: &Bug, runs: u64) -> Result<Option<Catch>, Failure> {
        let honest = self.source.join("src").join(bug.file);
        let file = self.tree.join("src").join(bug.file);
        let text = fs::read_to_string(&honest).map_err(|error| Failure::Io(honest, error))?;
        let planted = bug
            .plant(&text)
            .ok_or(Failure::NoPlace(bug.name, bug.file))?;
        fs::write(&file, planted).map_err(|error| Failure::Io(file.clone(), error))?;
        let result = self.judge(bug, runs);
        fs::write(&file, text).map_err(|error| Failure::Io(file, error))?;
        result
    }

    fn judge(&self, bug: &Bug, runs: u64) -> Result<Option<Catch>, Failure> {
        let (prefix, search) = match bug.search {
            Search::Pair => ("HB_SIM", "no_seed_breaks_a_rule"),
            Search::Pings => ("HB_SIM_PING", "no_seed_with_ping_nodes_breaks_a_rule"),
            Search::Carriers => (
                "HB_SIM_CARRIER",
                "carriers::no_seed_with_unplugged_networks_breaks_a_rule",
            ),
            Search::Mixed => ("HB_SIM_MIXED", "mixed::no_seed_breaks_a_rule_beside_3_0_6"),
            Search::Hardware => (
                "HB_SIM_HARDWARE",
                "no_seed_with_failing_hardware_breaks_a_rule",
            ),
            Search::Pairs => (
                "HB_SIM_PAIRS",
                "neighbours::no_seed_with_several_pairs_breaks_a_rule",
            ),
            Search::Doubts => ("HB_SIM_DOUBT", "doubts::no_seed_with_doubts_breaks_a_rule"),
            Search::Maintenance => (
                "HB_SIM_MAINTENANCE",
                "maintenance::no_seed_with_maintenance_breaks_a_rule",
            ),
            Search::Witness => (
                "HB_SIM_WITNESS",
                "witness::no_seed_shows_two_owners_to_the_witness_alone",
            ),
        };
        let built = self.cargo(&["--no-run"], &[])?;
        if !built.status.success() {
            return Err(Failure::Build(bug.name, text_of(&built)));
        }
        let count = (format!("{prefix}_RUNS"), runs.to_string());
        let output = self.cargo(&["--", "--exact", "--nocapture", search], &[count])?;
        if output.status.success() {
            return Ok(None);
        }
        let text = text_of(&output);
        let catch = first_catch(&text);
        catch.map(Some).ok_or(Failure::Silent(bug.name, text))
    }

    fn cargo(&self, more: &[&str], variables: &[(String, String)]) -> Result<Output, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Command::new(&cargo)
            .args(["test", "--locked", "--quiet", "--test", "simulation"])
            .args(more)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.tree)
            .output()
            .map_err(|error| Failure::Io(cargo.into(), error))
    }
}

/// The line `seed 7: S2 at …` of the lowest seed that failed; seeds count from 0.
fn first_catch(text: &str) -> Option<Catch> {
    text.lines().find_map(|line| {
        let (seed, rest) = line.strip_prefix("seed ")?.split_once(": ")?;
        let (rule, _) = rest.split_once(" at ")?;
        Some(Catch {
            runs: seed.parse::<u64>().ok()? + 1,
            rule: rule.to_owned(),
        })
    })
}

fn text_of(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let fail = |error| Failure::Io(from.to_owned(), error);
    if !from.is_dir() {
        fs::copy(from, to).map_err(fail)?;
        return Ok(());
    }
    fs::create_dir_all(to).map_err(fail)?;
    for entry in fs::read_dir(from).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
