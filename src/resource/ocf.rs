//! OCF agents: what they are called with, and what their exit codes mean.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Action, Invocation, Standing};

/// The provider of an agent that is named without one, and of all those that [`shorthand`](super::shorthand) names.
pub const PROVIDER: &str = "heartbeat";
/// The exit code of an agent that lacks a program which it needs: it did nothing.
pub const NOT_INSTALLED: i32 = 5;
/// Longer names of instances are cut: agents make file names of them.
const LONGEST_INSTANCE: usize = 150;

/// An OCF agent with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The directory above `resource.d`, which agents know as `OCF_ROOT`.
    pub root: PathBuf,
    /// Who made it, and the directory that it lies in.
    pub provider: String,
    /// What kind of resource it is for: the name of the agent.
    pub name: String,
    /// In the order in which they were written.
    pub parameters: Vec<(String, String)>,
    /// Tells two resources of the same agent from each other, on this machine and on the other one alike.
    pub instance: String,
    /// Where a script of `resource.d` was named and stands for this agent: that script and its arguments, for the
    /// log.
    pub alias: Option<(PathBuf, Vec<String>)>,
}

/// What is wrong with a word that begins with `ocf:`, as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// There is no name, or it can't be one.
    Name(String),
    /// Not `name=value`.
    Parameter(String),
    /// This parameter stands there twice.
    Twice(String),
}

/// Whether a word of `haresources` is meant to name an OCF agent.
pub fn is_meant(text: &str) -> bool {
    text == "ocf" || text.starts_with("ocf:")
}

impl Agent {
    /// An agent of this name.
    pub fn new(root: &Path, provider: &str, name: &str) -> Self {
        Self {
            root: root.to_path_buf(),
            provider: provider.to_owned(),
            name: name.to_owned(),
            parameters: Vec::new(),
            instance: name.to_owned(),
            alias: None,
        }
    }

    /// Reads `ocf:PROVIDER:AGENT::NAME=VALUE::…`. People also write `ocf::PROVIDER:AGENT`, as the tools of other
    /// cluster managers show it, and leave the provider out.
    ///
    /// # Errors
    /// What can't be understood.
    pub fn read(root: &Path, text: &str) -> Result<Self, Mistake> {
        let rest = text.strip_prefix("ocf").unwrap_or(text);
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let mut pieces = rest.split("::").peekable();
        let head = pieces.next().unwrap_or_default();
        let (provider, name) = if let Some(both) = head.split_once(':') {
            both
        } else if let Some(name) = pieces.next_if(|next| !next.is_empty() && !next.contains('=')) {
            (head, name)
        } else {
            (PROVIDER, head)
        };
        for name in [provider, name] {
            if !is_name(name) {
                return Err(Mistake::Name(name.to_owned()));
            }
        }
        let parameters = read_parameters(pieces)?;
        Ok(Self {
            instance: instance(name, &written(&parameters)),
            parameters,
            ..Self::new(root, provider, name)
        })
    }

    /// The agent itself.
    pub fn path(&self) -> PathBuf {
        let mut path = self.root.join("resource.d");
        path.push(&self.provider);
        path.push(&self.name);
        path
    }

    /// How the agent is called. What takes longer than `limit` will be ended, which it gets to know.
    pub fn invocation(&self, action: Action, limit: Duration) -> Invocation {
        let word = match action {
            Action::Status => "monitor",
            other => other.word(),
        };
        let mut environment = self.environment();
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        for (name, value) in &self.parameters {
            set(&format!("OCF_RESKEY_{name}"), value.clone());
        }
        // A question whether it runs at all, and no check in an interval: an agent whose program is not here, on a
        // disk that the other machine has for example, then says that it does not run, and not that it is broken.
        set("OCF_RESKEY_CRM_meta_interval", "0".to_owned());
        set("OCF_RESKEY_CRM_meta_timeout", limit.as_millis().to_string());
        let invocation = Invocation::new(self.path(), vec![word.to_owned()]).with(environment);
        if let Some((script, arguments)) = &self.alias {
            let words = arguments.iter().map(String::as_str);
            return invocation.told_as(script, words.chain([action.word()]));
        }
        let written = written(&self.parameters);
        let words = written.iter().map(String::as_str);
        invocation.told_as(&self.path(), words.chain([word]))
    }

    /// How the agent is asked what it can do.
    pub fn meta_data(&self) -> Invocation {
        Invocation::new(self.path(), vec!["meta-data".to_owned()]).with(self.environment())
    }

    /// What every call has. The version is that of the interface which heartbeat 3.0.6 spoke too.
    fn environment(&self) -> Vec<(String, String)> {
        [
            ("OCF_ROOT", self.root.display().to_string()),
            ("OCF_RA_VERSION_MAJOR", "1".to_owned()),
            ("OCF_RA_VERSION_MINOR", "0".to_owned()),
            ("OCF_RESOURCE_INSTANCE", self.instance.clone()),
            ("OCF_RESOURCE_TYPE", self.name.clone()),
            ("OCF_RESOURCE_PROVIDER", self.provider.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// As in `haresources`.
fn written(parameters: &[(String, String)]) -> Vec<String> {
    let pairs = parameters.iter();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// What the exit code of `monitor` means.
///
/// 0 and 8 (in the promoted role) mean running, 7 stopped. 5, the program is not installed, tells that it can't be
/// started here; but a program that was removed may run still, so it is no proof that a failed stop succeeded. All
/// others are failures, after which nothing is known.
pub fn standing(exit_code: i32) -> Standing {
    match exit_code {
        0 | 8 => Standing::Running,
        7 => Standing::Stopped,
        NOT_INSTALLED => Standing::Silent,
        _ => Standing::Unknown,
    }
}

/// What the exit code of an agent says, for the log.
pub fn meaning(exit_code: i32) -> &'static str {
    match exit_code {
        0 => "success",
        1 => "generic error",
        2 => "invalid argument",
        3 => "action not implemented",
        4 => "insufficient privileges",
        NOT_INSTALLED => "program not installed",
        6 => "not configured",
        7 => "not running",
        8 => "running as promoted",
        9 => "failed as promoted",
        _ => "unknown to OCF",
    }
}

/// The name of one resource among those of the same agent.
///
/// Agents make file names of it, so that it has letters, digits and `.-_` alone. Different arguments always give
/// different names: two resources of one name would be taken for one by agents that keep a file for each.
pub fn instance(name: &str, arguments: &[String]) -> String {
    let mut text = name.to_owned();
    for (argument, joint) in arguments
        .iter()
        .zip(["_"].into_iter().chain(std::iter::repeat("--")))
    {
        text.push_str(joint);
        for byte in argument.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' {
                text.push(char::from(byte));
            } else {
                text.extend(format!("-{byte:02X}").chars());
            }
        }
    }
    if text.len() > LONGEST_INSTANCE {
        let hash = fnv1a(text.as_bytes());
        text.truncate(LONGEST_INSTANCE); // there is nothing but ASCII in it: names were looked at
        text.extend(format!("---{hash:016x}").chars());
    }
    text
}

/// The hash FNV-1a in 64 bits: the same in every version and on both machines.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `name=value` each. An IPv6 address has `::` in it, and what was taken apart there is put together again.
fn read_parameters<'a>(
    pieces: impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, Mistake> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for piece in pieces {
        if let Some((name, value)) = piece.split_once('=') {
            if !is_parameter(name) {
                return Err(Mistake::Parameter(piece.to_owned()));
            }
            if parameters.iter().any(|(other, _)| other == name) {
                return Err(Mistake::Twice(name.to_owned()));
            }
            parameters.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let joined = parameters
            .last()
            .map(|(_, value)| format!("{value}::{piece}"))
            .filter(|value| is_ipv6(value));
        match (joined, parameters.last_mut()) {
            (Some(joined), Some((_, value))) => *value = joined,
            _ if piece.is_empty() => {}
            _ => return Err(Mistake::Parameter(piece.to_owned())),
        }
    }
    Ok(parameters)
}

fn is_ipv6(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    address.parse::<Ipv6Addr>().is_ok()
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    !text.is_empty() && text.len() <= 64 && !text.starts_with('.') && text.bytes().all(is_plain)
}

fn is_parameter(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_plain)
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) if name.contains(':') => {
                write!(
                    f,
                    "parameters are parted from the agent by `::`, not as in `{name}`"
                )
            }
            Self::Name(name) => write!(f, "`{name}` can't be the name of a provider or an agent"),
            Self::Parameter(text) => write!(f, "`{text}` is no parameter: write NAME=VALUE"),
            Self::Twice(name) => write!(f, "the parameter `{name}` stands there twice"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match Agent::read(Path::new("/usr/lib/ocf"), text) {
            Ok(agent) => {
                let parameters: Vec<String> = agent
                    .parameters
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let words = [agent.provider, agent.name, parameters.join(" ")];
                words.join(" ").trim_end().to_owned()
            }
            Err(mistake) => mistake.to_string(),
        }
    }

    #[test]
    fn the_spellings_that_people_use_mean_the_same() {
        for (text, expected) in [
            ("ocf:heartbeat:Dummy", "heartbeat Dummy"),
            ("ocf::heartbeat:Dummy", "heartbeat Dummy"),
            ("ocf::heartbeat::Dummy", "heartbeat Dummy"),
            ("ocf:Dummy", "heartbeat Dummy"),
            ("ocf::Dummy", "heartbeat Dummy"),
            (
                "ocf:heartbeat:Dummy::fake=a::state=/run/x",
                "heartbeat Dummy fake=a state=/run/x",
            ),
            ("ocf::heartbeat::Dummy::fake=a", "heartbeat Dummy fake=a"),
            ("ocf:Dummy::fake=a", "heartbeat Dummy fake=a"),
            ("ocf:my-own:disk.sh::a=::b=c=d", "my-own disk.sh a= b=c=d"),
            (
                "ocf:linbit:drbd::drbd_resource=r0",
                "linbit drbd drbd_resource=r0",
            ),
            ("ocf:heartbeat:Dummy::::fake=a", "heartbeat Dummy fake=a"),
            (
                "ocf:heartbeat:IPv6addr::ipv6addr=fd00::9/64::nic=eth0",
                "heartbeat IPv6addr ipv6addr=fd00::9/64 nic=eth0",
            ),
            ("ocf:heartbeat:X::ip=::1", "heartbeat X ip=::1"),
            (
                "ocf:heartbeat:X::ip=fd00::::b=c",
                "heartbeat X ip=fd00:: b=c",
            ),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_agent_says_why() {
        for (text, expected) in [
            ("ocf", "`` can't be the name of a provider or an agent"),
            ("ocf:", "`` can't be the name of a provider or an agent"),
            (
                "ocf:heartbeat:",
                "`` can't be the name of a provider or an agent",
            ),
            (
                "ocf:heartbeat:../x",
                "`../x` can't be the name of a provider or an agent",
            ),
            (
                "ocf:heartbeat:Dummy:fake=a",
                "parameters are parted from the agent by `::`, not as in `Dummy:fake=a`",
            ),
            (
                "ocf:heartbeat:Dummy::fake",
                "`fake` is no parameter: write NAME=VALUE",
            ),
            (
                "ocf:heartbeat:Filesystem::device=/dev/sdb1::/srv",
                "`/srv` is no parameter: write NAME=VALUE",
            ),
            (
                "ocf:heartbeat:Dummy::a b=c",
                "`a b=c` is no parameter: write NAME=VALUE",
            ),
            (
                "ocf:heartbeat:Dummy::a=1::a=2",
                "the parameter `a` stands there twice",
            ),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn an_agent_is_told_everything_in_its_environment() {
        let agent =
            Agent::read(Path::new("/usr/lib/ocf"), "ocf:heartbeat:Dummy::fake=a").expect("valid");
        let called = agent.invocation(Action::Status, Duration::from_secs(20));
        assert_eq!(called.arguments, ["monitor"]);
        assert_eq!(
            called.program,
            Path::new("/usr/lib/ocf/resource.d/heartbeat/Dummy")
        );
        let environment: Vec<String> = called
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            environment,
            [
                "OCF_ROOT=/usr/lib/ocf",
                "OCF_RA_VERSION_MAJOR=1",
                "OCF_RA_VERSION_MINOR=0",
                "OCF_RESOURCE_INSTANCE=Dummy_fake-3Da",
                "OCF_RESOURCE_TYPE=Dummy",
                "OCF_RESOURCE_PROVIDER=heartbeat",
                "OCF_RESKEY_fake=a",
                "OCF_RESKEY_CRM_meta_interval=0",
                "OCF_RESKEY_CRM_meta_timeout=20000",
            ]
        );
        assert_eq!(
            called.to_string(),
            "/usr/lib/ocf/resource.d/heartbeat/Dummy fake=a monitor"
        );
        assert_eq!(agent.meta_data().arguments, ["meta-data"]);
    }

    #[test]
    fn different_arguments_make_different_instances_and_all_can_be_file_names() {
        let long = "x".repeat(4000);
        let lists: &[&[&str]] = &[
            &[],
            &["a"],
            &["a", "b"],
            &["a_b"],
            &["a--b"],
            &["a-2Db"],
            &["a-b"],
            &["a/b"],
            &["/a/b"],
            &["/a_b"],
            &["a:b"],
            &["ä"],
            &[&long],
            &[&long, "y"],
        ];
        let mut seen = std::collections::BTreeSet::new();
        for list in lists {
            let arguments: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
            let name = instance("Filesystem", &arguments);
            assert!(name.len() < 200 && name.starts_with("Filesystem"), "{name}");
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(name.chars().all(is_plain), "{name}");
            assert!(seen.insert(name.clone()), "{name} twice");
        }
    }

    #[test]
    fn exit_codes_are_the_answer() {
        for (code, expected) in [
            (0, Standing::Running),
            (8, Standing::Running),
            (7, Standing::Stopped),
            (5, Standing::Silent),
            (1, Standing::Unknown),
            (2, Standing::Unknown),
            (6, Standing::Unknown),
            (9, Standing::Unknown),
            (127, Standing::Unknown),
            (-1, Standing::Unknown),
        ] {
            assert_eq!(standing(code), expected, "{code}");
        }
    }
}
