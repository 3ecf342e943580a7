//! How a device is called: cluster-glue's stonith(8), or a fence agent as it is called everywhere.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{FenceDevice, FenceParameters};
use crate::resource::Invocation;

/// What a device is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To reset the other node.
    Reset,
    /// To say whether it could.
    Look,
}

impl Purpose {
    /// The program is killed after this time. To switch off, to be sure of it, and to switch on again takes half a
    /// minute where it takes long.
    pub(super) const fn limit(self) -> Duration {
        match self {
            Self::Reset => Duration::from_secs(120),
            Self::Look => Duration::from_secs(60),
        }
    }
}

/// The program, and what it is to read on its standard input.
pub(super) fn call(device: &FenceDevice, peer: &str, purpose: Purpose) -> (Invocation, Vec<u8>) {
    match &device.parameters {
        FenceParameters::Named(named) => {
            let input = agent_input(named, peer, purpose);
            (
                Invocation::new(PathBuf::from(&device.kind), Vec::new()),
                input,
            )
        }
        FenceParameters::File(path) => {
            let path = path.display().to_string();
            (stonith(&device.kind, path, peer, purpose), Vec::new())
        }
        FenceParameters::Line(line) => {
            let invocation = stonith(&device.kind, "/proc/self/fd/0".to_owned(), peer, purpose);
            (invocation, format!("{line}\n").into_bytes())
        }
    }
}

fn stonith(kind: &str, file: String, peer: &str, purpose: Purpose) -> Invocation {
    let mut words = vec!["-t".to_owned(), kind.to_owned(), "-F".to_owned(), file];
    match purpose {
        Purpose::Reset => words.extend(["-T", "reset", peer].map(str::to_owned)),
        Purpose::Look => words.push("-S".to_owned()),
    }
    Invocation::new(PathBuf::from("stonith"), words)
}

/// A line for each parameter. Agents differ in how they call what they switch; what `ha.cf` says comes first.
fn agent_input(named: &[(String, String)], peer: &str, purpose: Purpose) -> Vec<u8> {
    let has = |names: &[&str]| named.iter().any(|(name, _)| names.contains(&name.as_str()));
    let mut text = String::new();
    let mut push = |name: &str, value: &str| {
        text.extend([name, "=", value, "\n"]);
    };
    for (name, value) in named {
        if purpose == Purpose::Reset || name != "action" {
            push(name, value);
        }
    }
    match purpose {
        Purpose::Look => push("action", "monitor"),
        Purpose::Reset if !has(&["action"]) => push("action", "reboot"),
        Purpose::Reset => {}
    }
    push("nodename", peer);
    if !has(&["port", "plug"]) {
        push("port", peer);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(kind: &str, parameters: FenceParameters, purpose: Purpose) -> (String, String) {
        let kind = kind.to_owned();
        let (invocation, input) = call(&FenceDevice { kind, parameters }, "beta", purpose);
        (
            invocation.to_string(),
            String::from_utf8(input).expect("text"),
        )
    }

    #[test]
    fn stonith_gets_its_parameters_from_a_file_or_its_standard_input() {
        let file = FenceParameters::File("/etc/ha.d/device".into());
        let line = FenceParameters::Line("10.0.0.3 login secret".into());
        assert_eq!(
            called("baytech", file, Purpose::Reset),
            (
                "stonith -t baytech -F /etc/ha.d/device -T reset beta".into(),
                String::new()
            )
        );
        assert_eq!(
            called("baytech", line.clone(), Purpose::Reset),
            (
                "stonith -t baytech -F /proc/self/fd/0 -T reset beta".into(),
                "10.0.0.3 login secret\n".into()
            )
        );
        assert_eq!(
            called("baytech", line, Purpose::Look).0,
            "stonith -t baytech -F /proc/self/fd/0 -S"
        );
    }

    #[test]
    fn a_fence_agent_is_told_what_to_do_with_which_node() {
        let named = |text: &str| {
            let words = text.split(' ').filter_map(|word| word.split_once('='));
            let words = words.map(|(name, value)| (name.to_owned(), value.to_owned()));
            FenceParameters::Named(words.collect())
        };
        for (parameters, purpose, expected) in [
            (
                "ip=10.0.0.3 password=a=b",
                Purpose::Reset,
                "ip=10.0.0.3\npassword=a=b\naction=reboot\nnodename=beta\nport=beta\n",
            ),
            (
                "action=off plug=4",
                Purpose::Reset,
                "action=off\nplug=4\nnodename=beta\n",
            ),
            (
                "action=off port=4",
                Purpose::Look,
                "port=4\naction=monitor\nnodename=beta\n",
            ),
        ] {
            let (program, input) = called("fence_x", named(parameters), purpose);
            assert_eq!((program.as_str(), input.as_str()), ("fence_x ", expected));
        }
    }
}
