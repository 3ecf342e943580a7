//! What one of our daemons was given and sent, from its recording.
//!
//! `HB_KEEP_RECORDINGS=DIR` plays every case over a serial line and datagrams, with two heartbeats a second, and keeps
//! what ours recorded for `tests/recordings`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use heartbeat::cluster::{Action, Event};
use heartbeat::message::{Form, Message, Opened, open};
use heartbeat::recording::Replay;

use crate::lab::Program;
use crate::lab::machine::{Machine, here};
use crate::stage::Stage;

/// The file in a machine's directory.
const FILE: &str = "recording";

/// A message and the link on which it came or went; one that was sent went out on all.
pub struct Seen {
    /// The link's name; empty when it was sent.
    pub link: String,
    /// In which form it came.
    pub opened: Opened,
    /// The message.
    pub message: Message,
}

impl Seen {
    /// Whether it is of this type.
    pub fn is(&self, kind: &str) -> bool {
        self.message.text("t") == Some(kind)
    }

    /// A field with a hexadecimal number.
    pub fn hex(&self, field: &str) -> u64 {
        let text = self.message.text(field).unwrap_or_default();
        u64::from_str_radix(text, 16).unwrap_or_default()
    }
}

/// Both directions.
#[derive(Default)]
pub struct Talk {
    /// Every authentic message that it was given.
    pub heard: Vec<Seen>,
    /// Every message that it sent.
    pub sent: Vec<Seen>,
}

/// Has a machine record what its daemon, if it is ours, is given from its next start on.
pub fn record(machine: &mut Machine) {
    if machine.program == Program::Ours {
        let file = here().join(FILE).display().to_string();
        machine.options = vec!["--record".into(), file, "--record-keys".into()];
    }
}

/// Reads the recording of the daemon's last run, which has ended.
pub fn read(machine: &Machine) -> Talk {
    let file = File::open(machine.file(FILE)).expect("a recording");
    let mut replay = Replay::new(BufReader::new(file), None).expect("a header");
    let keys = replay.header().settings.keys.clone();
    let links = replay.header().settings.links.clone();
    let seen = |bytes: &[u8], link: &str| {
        let mut message = Message::new();
        let opened = open(bytes, &keys, &mut message).ok()?;
        Some(Seen {
            link: link.to_owned(),
            opened,
            message,
        })
    };
    let mut talk = Talk::default();
    while let Some(step) = replay.step().expect("a sound recording") {
        if let Event::Received { link, bytes } = step.event {
            let name = links
                .get(usize::from(link.0))
                .expect("a link of the header");
            talk.heard.extend(seen(bytes, name));
        }
        for action in step.actions {
            if let Action::Send(packet) = action {
                talk.sent.extend(seen(&packet.datagram, ""));
            }
        }
    }
    talk
}

/// Where recordings are to be kept, if anywhere.
pub fn directory() -> Option<PathBuf> {
    std::env::var_os("HB_KEEP_RECORDINGS").map(PathBuf::from)
}

/// Keeps what ours recorded.
pub fn keep(stage: &Stage, directory: &Path) {
    for node in 0..2 {
        let machine = stage.machine(node);
        let other = match stage.pairing.0[1 - node] {
            Program::Ours => "ours",
            Program::Old306 => "3.0.6",
        };
        for (file, run) in [(format!("{FILE}.old"), "-before"), (FILE.to_owned(), "")] {
            let name = format!("{other}-{}-{}{run}.recording", stage.case, machine.name);
            if machine.file(&file).exists() {
                std::fs::copy(machine.file(&file), directory.join(name)).expect("kept");
            }
        }
    }
}

/// The form in which messages come on a link.
pub fn form_of(link: &str) -> Form {
    if link.starts_with('/') {
        Form::Classic
    } else {
        Form::Netstring
    }
}
