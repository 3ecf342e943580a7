//! What other programs say: agents and scripts, web servers, and the marks of processes.

use std::time::Duration;

use heartbeat::daemon::children::output::Record;
use heartbeat::daemon::children::{Kind, Mark};
use heartbeat::daemon::media::serial_lock::owner_in;
use heartbeat::daemon::pid_file::pid_of;
use heartbeat::daemon::probe::judge;
use heartbeat::os::proc;
use heartbeat::resource::meta_data::MetaData;
use heartbeat::resource::{Action, Standing, classic, ocf, systemd};

use super::{pieces, steered};

/// Any output of an agent or a script: what is kept of it is bounded, does not depend on the pieces in which it comes,
/// and who says that it does not run is believed.
pub fn agent_output(input: &[u8]) {
    let ([piece, code], output) = steered(input);
    let found = MetaData::read(output);
    assert!(found.parameters.len() <= 500);
    for action in [Action::Start, Action::Stop, Action::Status] {
        let day = Duration::from_secs(24 * 60 * 60);
        let time = found.least_time(action);
        assert!(time.is_none_or(|time| time > Duration::ZERO && time <= day));
    }
    let required = found.parameters.iter().filter(|known| known.is_required);
    assert_eq!(found.complaints(&[]).len(), required.count());
    let with_comment = [b"<!-- <action name='start' timeout='1'/> -->", output].concat();
    assert_eq!(MetaData::read(&with_comment), found);

    for is_lsb in [false, true] {
        let standing = classic::standing(output, i32::from(code), is_lsb);
        assert!(!classic::denies(output) || standing == Standing::Stopped);
    }
    let is_active = systemd::standing(output) == Standing::Running;
    assert!(!is_active || output.trim_ascii().len() <= b"refreshing".len());
    let _ = ocf::standing(i32::from(code));

    let whole = last_lines(output, u8::MAX);
    assert_eq!(whole, last_lines(output, piece));
    assert!(whole.len() <= 10);
    let _ = classic::is_usage(&whole);
    // A byte that is no text is shown as a character of three.
    assert!(
        whole
            .iter()
            .all(|line| line.len() <= 3000 && !line.contains('\n'))
    );
}

fn last_lines(output: &[u8], piece: u8) -> Vec<String> {
    let (mut record, mut line) = (Record::new("fuzz".to_owned()), Vec::new());
    for bytes in pieces(output, piece) {
        record.take(&mut line, bytes);
        assert!(line.len() <= 1000);
    }
    record.keep(&line);
    record.finish()
}

/// Any answer of a web server: it has one status, and what it contains is in it.
pub fn probe(answer: &[u8]) {
    let fits = |status, body| judge(answer, status, body).is_ok();
    let statuses: Vec<u16> = (100..600).filter(|&status| fits(status, None)).collect();
    assert!(statuses.len() <= 1, "{statuses:?}");
    for body in ["ok", "it works"] {
        if fits(200, Some(body)) {
            let bytes = body.as_bytes();
            assert!(answer.windows(bytes.len()).any(|part| part == bytes));
            assert_eq!(statuses, [200]);
        }
    }
    if let Err(reason) = judge(answer, 200, None) {
        assert!(reason.len() < 100 && !reason.chars().any(char::is_control));
    }
}

/// Any bytes in `/proc` and in the files that name a process.
pub fn processes(bytes: &[u8]) {
    if let Some(found) = proc::parse(4711, bytes) {
        assert_eq!(found.pid, 4711);
        let renamed = [b"4711 (a) Z 1 2 (", bytes].concat();
        assert_eq!(proc::parse(4711, &renamed), Some(found), "a name is a name");
    }
    for kind in [Kind::Action, Kind::Program] {
        let mark = Mark::read(kind, bytes);
        let with_others = [b"PATH=/bin\0HB=\0", bytes, b"\0LANG=C\0"].concat();
        assert_eq!(Mark::read(kind, &with_others), mark);
    }
    if let Some(pid) = pid_of(bytes) {
        assert!(pid > 0);
        assert_eq!(pid_of(format!("{pid:10}\n").as_bytes()), Some(pid));
    }
    if let Some(owner) = owner_in(bytes) {
        assert_eq!(owner_in(format!("{owner:10}\n").as_bytes()), Some(owner));
    }
}
