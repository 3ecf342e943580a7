//! Configuration files on their way from the command that has read them to the daemon, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Configuration files by their names in the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files(pub BTreeMap<String, File>);

/// A file that was read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// A character for each byte: what no text is has to arrive as it is, so that it can be complained about.
    text: String,
    /// Permission bits.
    pub mode: u32,
}

/// There may be keys in it.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl File {
    /// With these bytes.
    pub fn new(bytes: &[u8], mode: u32) -> Self {
        let text = bytes.iter().copied().map(char::from).collect();
        Self { text, mode }
    }

    /// The bytes; `None` when there is something else in it.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.text
            .chars()
            .map(|byte| u8::try_from(byte).ok())
            .collect()
    }
}

/// What a reload changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// A line for each change; none when everything is as it was.
    pub changes: Vec<String>,
    /// Whether it was done; not for a dry run.
    pub applied: bool,
    /// Whether some of it waits for a restart of the daemon.
    pub wants_restart: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives_and_no_key_is_shown() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let file = File::new(&bytes, 0o600);
        let sent = serde_json::to_vec(&file).expect("serializes");
        let arrived: File = serde_json::from_slice(&sent).expect("reads");
        assert_eq!(arrived.bytes(), Some(bytes));
        let strange: File = serde_json::from_str(r#"{"text":"\u1234","mode":0}"#).expect("reads");
        assert_eq!(strange.bytes(), None);
        let shown = format!("{:?}", File::new(b"1 sha1 secret", 0o600));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
