//! Keys that a stranger knows, or finds by trying.

/// Fewer characters are found by trying: who has recorded one message can try without asking anybody.
const SHORTEST: usize = 16;

/// Even a key of digits alone has more different ones.
const FEWEST_DIFFERENT: usize = 5;

/// Keys that stand in sample files, in manual pages and in what people copy from, in lower case.
const PUBLIC: [&str; 26] = [
    "!!!change-me!!!",
    "123456",
    "40-random-hexadecimal-digits-of-your-own",
    "64-random-hexadecimal-digits-of-your-own",
    "6f1ed002ab5595859014ebf0951522d9",
    "change_me",
    "changeme",
    "ha",
    "heartbeat",
    "hello!",
    "hi!",
    "key",
    "linux-ha",
    "long-random-key",
    "my-secret-key",
    "mykey",
    "mysecret",
    "mysecretkey",
    "password",
    "secret",
    "secretkey",
    "somerandomstring",
    "test",
    "the-new-key",
    "the-old-key",
    "your-secret-key",
];

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weakness {
    /// It can be read somewhere.
    Public,
    /// So many characters only.
    Short(usize),
    /// So few different characters.
    Monotonous(usize),
}

/// What is wrong with the text of a key, if anything is.
pub(super) fn weakness(text: &[u8]) -> Option<Weakness> {
    let plain = String::from_utf8_lossy(text).to_ascii_lowercase();
    if PUBLIC.contains(&plain.as_str()) {
        return Some(Weakness::Public);
    }
    if text.len() < SHORTEST {
        return Some(Weakness::Short(text.len()));
    }
    let different: std::collections::BTreeSet<&u8> = text.iter().collect();
    (different.len() < FEWEST_DIFFERENT).then_some(Weakness::Monotonous(different.len()))
}

impl Weakness {
    /// What is wrong, as the message of a diagnostic.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Public => "this key is public: it stands in sample files",
            Self::Short(_) => "this key is short",
            Self::Monotonous(_) => "this key is hardly random",
        }
    }

    /// Why that matters.
    pub(super) fn label(self) -> String {
        match self {
            Self::Public => "use a long random one".to_owned(),
            Self::Short(length) => format!(
                "{length} characters; who records a message can find it by trying, {SHORTEST} are the least"
            ),
            Self::Monotonous(different) => {
                format!("it has {different} different characters; use a long random one")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_weak_when_it_is_known_short_or_always_the_same() {
        for (text, expected) in [
            ("HI!", Some(Weakness::Public)),
            ("Hello!", Some(Weakness::Public)),
            ("SomeRandomString", Some(Weakness::Public)),
            ("0123456789abcde", Some(Weakness::Short(15))),
            ("0123456789abcdef", None),
            ("aaaaaaaaaaaaaaaaaaaa", Some(Weakness::Monotonous(1))),
            ("7fd0a4c7a6c94f2b8c1d0e5f6a3b9c8d7e6f5a40", None),
        ] {
            assert_eq!(weakness(text.as_bytes()), expected, "{text}");
        }
    }
}
