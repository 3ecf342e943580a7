//! The lines of a log file, each with the moment when it was written: a thread waits for every change of the file.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::moment::{self, Moment};
use super::record::Record;

/// What was written to one file.
#[derive(Clone)]
pub struct Lines(Record<(Moment, String)>);

impl Lines {
    /// Follows this file, which is made where there is none, from now on.
    pub fn follow(path: &Path) -> Self {
        let made = OpenOptions::new().append(true).create(true).open(path);
        drop(made.expect("our own file system"));
        let mut file = File::open(path).expect("our own file system");
        let inotify = Inotify::init(InitFlags::empty()).expect("descriptors are left");
        inotify
            .add_watch(path, AddWatchFlags::IN_MODIFY)
            .expect("our own file");
        let lines = Self(Record::new());
        let store = lines.clone();
        thread::spawn(move || {
            moment::be_prompt();
            let mut rest = Vec::new();
            loop {
                let at = moment::now();
                let _ = file.read_to_end(&mut rest);
                store.take(at, &mut rest);
                if inotify.read_events().is_err() {
                    return;
                }
            }
        });
        lines
    }

    fn take(&self, at: Moment, bytes: &mut Vec<u8>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.0.add([(at, line)]);
        }
    }

    /// When the first line with this text was written after a moment, waited for.
    pub fn first(&self, after: Moment, limit: Duration, text: &str) -> Option<Moment> {
        let is_it = |(at, line): &(Moment, String)| *at >= after && line.contains(text);
        Some(self.0.first(limit, is_it)?.0)
    }

    /// Everything so far, for a report of what went wrong.
    pub fn text(&self) -> String {
        let lines = self.0.all();
        let texts = lines.iter().map(|(at, line)| format!("{at:?} {line}\n"));
        texts.collect()
    }
}
