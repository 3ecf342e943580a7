//! `heartbeat replay FILE`: runs the core over a recording and prints what it decides. Touches nothing else.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::path::Path;

use super::command_line::CommandLine;
use super::disk::Disk;
use super::exit_status::{self, DONE, FAILED};
use super::terminal::{say, show};
use crate::config::load_keys;
use crate::control::Places;
use crate::recording::{Extent, Problem, RecordingError, Replay, tell};

/// Gives back the exit status.
pub fn run(path: &Path, line: &CommandLine, places: &Places) -> u8 {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            say(&format!("heartbeat: {}: {error}\n", path.display()));
            return exit_status::of(&error);
        }
    };
    // A recording that holds its keys needs no others, so what is wrong with those may not matter.
    let (keys, diagnostics) = match load_keys(&places.configuration, &Disk::default()) {
        Ok((keys, _)) => (Some(keys), None),
        Err(diagnostics) => (None, Some(diagnostics)),
    };
    let extent = Extent {
        everything: line.verbose,
        until: line.until,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let told = Replay::new(BufReader::new(file), keys).and_then(|replay| {
        let program = &replay.header().program;
        if program != crate::VERSION {
            say(&format!(
                "heartbeat: recorded by version {program}, replayed by {}: this is what the latter would decide\n",
                crate::VERSION
            ));
        }
        tell(replay, extent, &mut out)?;
        Ok(out.flush()?)
    });
    match told {
        Ok(()) => DONE,
        // Whoever reads along has seen enough.
        Err(RecordingError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => DONE,
        Err(error) => {
            let _ = out.flush(); // what was decided up to there
            let lacks_key = matches!(
                error,
                RecordingError::Line {
                    problem: Problem::Key { .. },
                    ..
                }
            );
            if let Some(diagnostics) = diagnostics.filter(|_| lacks_key) {
                show(&diagnostics);
            }
            say(&format!("heartbeat: {}: {error}\n", path.display()));
            FAILED
        }
    }
}
