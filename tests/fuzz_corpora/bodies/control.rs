//! What programs of this machine say: the FIFO of scripts, and both ends of the control socket.

use heartbeat::client::read_answer;
use heartbeat::cluster::ScriptMessage;
use heartbeat::control::{Answer, Request};
use heartbeat::daemon::control::request::{RequestLine, Rights, respond};
use heartbeat::daemon::fifo;
use heartbeat::message::{Message, TextFrames};

use super::{pieces, steered};

/// Any bytes in the FIFO: what is taken is small, plain text and would be taken again; what is not is told of in one
/// short line.
pub fn fifo(stream: &[u8]) {
    let (mut frames, mut message) = (TextFrames::of_messages(), Message::new());
    frames.push(stream);
    while let Some(frame) = frames.next_frame() {
        match fifo::read(frame, &mut message) {
            Ok(said) => {
                let sizes = said.fields().iter();
                let bytes: usize = sizes.map(|(name, value)| name.len() + value.len()).sum();
                assert!(bytes <= 4096 && said.fields().len() <= 64);
                let is_plain = |text: &str| !text.chars().any(char::is_control);
                let mut fields = said.fields().iter();
                assert!(is_plain(said.kind()));
                assert!(fields.all(|(name, value)| is_plain(name) && is_plain(value)));
                let again = ScriptMessage::new(said.kind(), said.fields().to_vec());
                assert_eq!(again.as_ref(), Ok(&said));
            }
            Err(mistake) => {
                let line = mistake.to_string();
                assert!(line.len() < 500 && !line.contains('\n'), "{line}");
            }
        }
    }
}

/// Any bytes of a client with any rights: the same line however it comes in, an answer that the client's end reads, and
/// nobody gets more than is his.
pub fn request(input: &[u8]) {
    let ([rights, piece], bytes) = steered(input);
    let rights = [Rights::Nothing, Rights::Ask, Rights::Move][usize::from(rights % 3)];
    let line = RequestLine::new(rights).push(bytes);
    let mut in_pieces = RequestLine::new(rights);
    let again = pieces(bytes, piece).find_map(|bytes| in_pieces.push(bytes));
    assert_eq!(line, again);
    let Some(line) = line else { return };
    let mut asked = None;
    let answer = respond(&line, rights, &mut |request| {
        asked = Some(request);
        Answer::Confirmed("asked".to_owned())
    });
    let written = serde_json::to_vec(&answer).expect("serializes");
    match (&asked, read_answer(&written)) {
        (None, Err(heartbeat::client::Error::Refused(_))) => {}
        (Some(_), Ok(read)) => assert_eq!(read, answer),
        (_, other) => panic!("{asked:?}: {other:?}"),
    }
    let Some(request) = asked else { return };
    let needed = if request.changes_something() {
        Rights::Move
    } else {
        Rights::Ask
    };
    assert!(rights >= needed);
    let written = serde_json::to_vec(&request).expect("serializes");
    let read: Request = serde_json::from_slice(&written).expect("it was written by us");
    assert_eq!(read, request);
}

/// Any bytes in place of the daemon's answer: what is understood is understood again when written.
pub fn answer(bytes: &[u8]) {
    match read_answer(bytes) {
        Ok(answer) => {
            let written = serde_json::to_vec(&answer).expect("serializes");
            assert_eq!(read_answer(&written).ok(), Some(answer));
        }
        Err(error) => assert!(!error.to_string().is_empty() || bytes.len() > 10),
    }
}
