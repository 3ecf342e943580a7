//! Keys in a recording: by themselves where that was asked for, else as check values by which they are found
//! in an `authkeys`.

use super::error::Problem;
use super::text::{Blanks, escape, push, unescape};
use crate::message::{Key, Keys, Message, Method, checksum, seal};

/// What of the keys goes into a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Numbers, methods and check values.
    Withheld,
    /// The keys themselves.
    Recorded,
}

/// Appends all keys as words: `auth=1 1=sha1:check:9f31c2aa 2=md5:key:secret 3=crc`.
pub(super) fn write(keys: &Keys, secrecy: Secrecy, out: &mut String) {
    push(out, format_args!("auth={}", keys.signing));
    for (index, key) in (0_u8..).zip(&keys.entries) {
        let Some(key) = key else { continue };
        push(out, format_args!(" {index}={}", key.method.name()));
        if key.method == Method::Crc && key.text.is_empty() {
            continue;
        }
        match secrecy {
            Secrecy::Withheld => push(out, format_args!(":check:{:08x}", check_value(key))),
            Secrecy::Recorded => {
                out.push_str(":key:");
                escape(&key.text, Blanks::Escaped, out);
            }
        }
    }
}

/// The keys of such words; those with check values are looked for among the `known` ones.
pub(super) fn read(words: &str, known: Option<&Keys>) -> Result<Keys, Problem> {
    let mut keys = Keys {
        entries: [const { None }; 16],
        signing: u8::MAX,
    };
    for word in words.split(' ') {
        let (name, value) = word.split_once('=').ok_or(Problem::Value)?;
        if name == "auth" {
            keys.signing = value.parse().map_err(|_| Problem::Value)?;
            continue;
        }
        let index: u8 = name.parse().map_err(|_| Problem::Value)?;
        let entry = keys.entries.get_mut(usize::from(index));
        *entry.ok_or(Problem::Value)? = Some(read_key(index, value, known)?);
    }
    let signs = keys.entry(keys.signing).is_some();
    signs.then_some(keys).ok_or(Problem::Value)
}

fn read_key(index: u8, text: &str, known: Option<&Keys>) -> Result<Key, Problem> {
    let mut words = text.splitn(3, ':');
    let method = Method::named(words.next().unwrap_or_default()).ok_or(Problem::Value)?;
    let mut key = Key {
        method,
        text: Vec::new(),
    };
    match (words.next(), words.next()) {
        (None, None) if method == Method::Crc => {}
        (Some("key"), Some(text)) => unescape(text, &mut key.text)?,
        (Some("check"), Some(check)) => {
            let check = u32::from_str_radix(check, 16).map_err(|_| Problem::Value)?;
            let entries = known.iter().flat_map(|keys| &keys.entries).flatten();
            let mut fitting = entries.filter(|key| key.method == method);
            let found = fitting.find(|key| check_value(key) == check);
            return found.cloned().ok_or(Problem::Key {
                index,
                method: method.name(),
                check,
            });
        }
        _ => return Err(Problem::Value),
    }
    Ok(key)
}

/// Tells whether a key is the same, and no more than any message signed with it: a checksum of one.
fn check_value(key: &Key) -> u32 {
    let mut keys = Keys {
        entries: [const { None }; 16],
        signing: 0,
    };
    if let Some(first) = keys.entries.first_mut() {
        *first = Some(key.clone());
    }
    let mut message = Message::new();
    message.push_text("t", "check value");
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let _ = seal(&message, &keys, 0, false, &mut datagram, &mut text); // it has entry 0 and is short
    checksum(std::iter::once(datagram.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let mut keys = Keys {
            entries: [const { None }; 16],
            signing: 2,
        };
        let key = |method, text: &[u8]| {
            Some(Key {
                method,
                text: text.to_vec(),
            })
        };
        keys.entries[0] = key(Method::Crc, b"");
        keys.entries[2] = key(Method::Sha1, b"a:b c\\\xff=");
        keys.entries[9] = key(Method::Md5, b"a:b c\\\xff=");
        keys.entries[15] = key(Method::Sha256, b"key");
        keys
    }

    fn written(secrecy: Secrecy) -> String {
        let mut words = String::new();
        write(&keys(), secrecy, &mut words);
        words
    }

    #[test]
    fn recorded_keys_come_back_by_themselves() {
        let words = written(Secrecy::Recorded);
        assert_eq!(
            words,
            "auth=2 0=crc 2=sha1:key:a:b\\x20c\\\\\\xff= 9=md5:key:a:b\\x20c\\\\\\xff= 15=sha256:key:key"
        );
        assert_eq!(read(&words, None), Ok(keys()));
    }

    #[test]
    fn withheld_keys_are_found_in_authkeys_even_under_another_number() {
        let words = written(Secrecy::Withheld);
        assert!(!words.contains("key"), "{words}");
        assert_eq!(read(&words, Some(&keys())), Ok(keys()));
        let mut moved = keys();
        moved.entries.swap(2, 3);
        moved.signing = 15;
        assert_eq!(read(&words, Some(&moved)), Ok(keys()));
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let mut others = keys();
        others.entries[2] = others.entries[15].clone();
        for known in [None, Some(&others)] {
            let refused = read(&written(Secrecy::Withheld), known);
            assert!(
                matches!(
                    refused,
                    Err(Problem::Key {
                        index: 2,
                        method: "sha1",
                        ..
                    })
                ),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn damaged_words_are_refused() {
        for words in [
            "",
            "auth=1",
            "1=crc",
            "auth=1 2=crc",
            "auth=1 1=sha1",
            "auth=1 1=sha1:key",
            "auth=1 1=sha9:key:x",
            "auth=1 1=sha1:lock:x",
            "auth=16 16=crc",
            "auth=x 1=crc",
            "auth=1 1=crc ",
        ] {
            assert_eq!(read(words, None), Err(Problem::Value), "{words:?}");
        }
    }
}
