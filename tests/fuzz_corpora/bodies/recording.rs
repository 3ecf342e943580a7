//! Recordings, which may come from anywhere.

use heartbeat::recording::{Encoder, Extent, Reader, Replay, Secrecy, tell};

/// Any bytes as a recording: what is read can be written, and then reads as itself; and the core lives through whatever
/// it says, twice in the same way.
pub fn recording(bytes: &[u8]) {
    let Some((events, text)) = rewritten(bytes) else {
        return;
    };
    let (events_again, text_again) = rewritten(text.as_bytes()).expect("it was written by us");
    assert_eq!(text, text_again);
    assert_eq!(events, events_again);
    let told = story(bytes);
    assert_eq!(told, story(bytes));
    // A recording may come from anybody, and must not give orders to a terminal.
    let is_order = |c: char| c != '\n' && c.is_control();
    assert!(!told.contains(is_order), "{told:?}");
}

/// How many events there are up to the end or the first that can't be read, and all of it as we would write it.
fn rewritten(bytes: &[u8]) -> Option<(usize, String)> {
    let mut reader = Reader::new(bytes, None).ok()?;
    let header = reader.header();
    let (mut encoder, mut text) = Encoder::new(
        &header.program,
        header.started,
        &header.settings,
        Secrecy::Recorded,
    );
    let mut events = 0;
    while let Ok(Some((at, event))) = reader.next_event() {
        encoder.line(at, &event, &mut text);
        events += 1;
    }
    Some((events, text))
}

fn story(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    let extent = Extent {
        everything: true,
        until: None,
    };
    if let Ok(replay) = Replay::new(bytes, None) {
        let _ = tell(replay, extent, &mut out);
    }
    String::from_utf8(out).expect("a story is text")
}
