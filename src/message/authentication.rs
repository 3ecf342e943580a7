//! Keys and the tokens made with them.
//!
//! A signature is an index into `authkeys`, a space and a token in lower-case hexadecimal. Every digest
//! takes its input in pieces, so what is signed never has to be put together first.

use crc::{CRC_32_CKSUM, Crc, Digest, Table};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use super::{Sink, base64};

/// A signing method of `authkeys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// CRC-32/CKSUM; protects against noise, not against people.
    Crc,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA-256; unknown to heartbeat 3.0.6.
    Sha256,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Crc, Self::Md5, Self::Sha1, Self::Sha256];

    /// As `authkeys` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// The method of this exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// One entry of `authkeys`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The method.
    pub method: Method,
    /// The key; empty for `crc`.
    pub text: Vec<u8>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?}, …)", self.method) // never the key itself
    }
}

/// The keys of `authkeys`: up to sixteen, one of which signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// By index 0–15.
    pub entries: [Option<Key>; 16],
    /// Index of the entry that signs; always present in `entries`.
    pub signing: u8,
}

impl Keys {
    /// The entry with this index, if there is one.
    pub fn entry(&self, index: u8) -> Option<&Key> {
        self.entries.get(usize::from(index))?.as_ref()
    }

    /// Whether a signature by `key` counts. Anybody can compute a `crc`, so it counts only where the
    /// operator chose it for signing: in a list beside real keys it would let strangers in.
    pub(super) fn trusts(&self, key: &Key) -> bool {
        key.method != Method::Crc
            || self
                .entry(self.signing)
                .is_some_and(|own| own.method == Method::Crc)
    }
}

/// How many bytes of a digest a short heartbeat has: 96 bits.
const SHORT: usize = 12;

/// A token as text, without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    text: [u8; 64],
    length: usize,
}

impl Token {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    fn of_digest(digest: &[u8]) -> Self {
        let mut text = [0; 64];
        for (pair, &byte) in text.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        let length = digest.len().saturating_mul(2).min(text.len());
        Self { text, length }
    }

    /// The beginning of a digest in few characters.
    fn of_beginning(digest: &[u8]) -> Self {
        let mut token = Self {
            text: [0; 64],
            length: 0,
        };
        let beginning = digest.get(..SHORT).unwrap_or(digest);
        token.length = base64::encode_into(beginning, &mut token.text);
        token
    }

    /// Without leading zeros, as 3.0.6 prints it.
    fn of_checksum(checksum: u32) -> Self {
        let mut token = Self {
            text: [0; 64],
            length: 0,
        };
        let digits = (35 - checksum.leading_zeros()) / 4;
        for place in (0..digits.max(1)).rev() {
            token.push_digit((checksum >> (4 * place) & 15) as u8);
        }
        token
    }

    fn push_digit(&mut self, value: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = hex_digit(value);
            self.length += 1;
        }
    }
}

/// Of a value below 16.
fn hex_digit(value: u8) -> u8 {
    let digits = b"0123456789abcdef";
    digits.get(usize::from(value)).copied().unwrap_or(b'?')
}

/// Sixteen bytes at a time.
type Lookup = Table<16>;

static CHECKSUM: Crc<u32, Lookup> = Crc::<u32, Lookup>::new(&CRC_32_CKSUM);

/// A digest under way: put the covered bytes in, then take the token or check one.
#[derive(Clone)]
pub(super) enum Signer {
    Crc(Digest<'static, u32, Lookup>),
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Signer {
    pub(super) fn new(key: &Key) -> Self {
        match key.method {
            Method::Crc => Self::Crc(CHECKSUM.digest()),
            Method::Md5 => Self::Md5(keyed(&key.text)),
            Method::Sha1 => Self::Sha1(keyed(&key.text)),
            Method::Sha256 => Self::Sha256(keyed(&key.text)),
        }
    }

    pub(super) fn token(self) -> Token {
        match self {
            Self::Crc(digest) => Token::of_checksum(digest.finalize()),
            Self::Md5(mac) => Token::of_digest(&mac.finalize().into_bytes()),
            Self::Sha1(mac) => Token::of_digest(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => Token::of_digest(&mac.finalize().into_bytes()),
        }
    }

    /// The token of a short heartbeat: the first 96 bits, or the whole checksum.
    pub(super) fn short_token(self) -> Token {
        match self {
            Self::Crc(_) => self.token(),
            Self::Md5(mac) => Token::of_beginning(&mac.finalize().into_bytes()),
            Self::Sha1(mac) => Token::of_beginning(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => Token::of_beginning(&mac.finalize().into_bytes()),
        }
    }

    /// The same as [`accepts`](Self::accepts) for the token of a short heartbeat.
    pub(super) fn accepts_short(self, token: &[u8]) -> bool {
        if matches!(self, Self::Crc(_)) {
            return self.accepts(token);
        }
        let Some(beginning) = base64::decode_exactly::<SHORT>(token) else {
            return false;
        };
        match self {
            Self::Crc(_) => false,
            Self::Md5(mac) => mac.verify_truncated_left(&beginning).is_ok(),
            Self::Sha1(mac) => mac.verify_truncated_left(&beginning).is_ok(),
            Self::Sha256(mac) => mac.verify_truncated_left(&beginning).is_ok(),
        }
    }

    /// Whether `token` is the right one. For the keyed methods the time taken does not depend on
    /// where the first wrong byte is.
    pub(super) fn accepts(self, token: &[u8]) -> bool {
        let mut digest = [0; 32];
        match self {
            Self::Crc(_) => self.token().as_bytes() == token,
            Self::Md5(mac) => decode_hex(token, &mut digest)
                .is_some_and(|digest| mac.verify_slice(digest).is_ok()),
            Self::Sha1(mac) => decode_hex(token, &mut digest)
                .is_some_and(|digest| mac.verify_slice(digest).is_ok()),
            Self::Sha256(mac) => decode_hex(token, &mut digest)
                .is_some_and(|digest| mac.verify_slice(digest).is_ok()),
        }
    }
}

impl Sink for Signer {
    fn put(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest) => digest.update(bytes),
            Self::Md5(mac) => mac.update(bytes),
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
        }
    }
}

/// Gathers small pieces for a digest, which takes few large ones more gladly.
pub(super) struct Gathering {
    signer: Signer,
    bytes: [u8; 256],
    length: usize,
}

impl Gathering {
    /// For a digest under way.
    pub(super) fn of(signer: Signer) -> Self {
        Self {
            signer,
            bytes: [0; 256],
            length: 0,
        }
    }

    /// With all that was put in.
    pub(super) fn into_signer(mut self) -> Signer {
        self.hand_over();
        self.signer
    }

    fn hand_over(&mut self) {
        self.signer
            .put(self.bytes.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}

impl Sink for Gathering {
    fn put(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() > self.bytes.len() {
            self.hand_over();
        }
        let end = self.length + bytes.len();
        match self.bytes.get_mut(self.length..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length = end;
            }
            None => self.signer.put(bytes),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Lower-case digits only: 3.0.6 compares tokens as text.
fn decode_hex<'a>(text: &[u8], into: &'a mut [u8; 32]) -> Option<&'a [u8]> {
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let digest = into.get_mut(..pairs.len())?;
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

/// Whether a digit or a letter comes next nobody can predict, a processor neither: so this has no branch for it.
fn digit(byte: u8) -> Option<u8> {
    const NONE: u8 = 0xff;
    const VALUES: [u8; 256] = {
        let mut values = [NONE; 256];
        let mut value = 0;
        while value < 10 {
            values[b'0' as usize + value as usize] = value;
            value += 1;
        }
        while value < 16 {
            values[b'a' as usize + value as usize - 10] = value;
            value += 1;
        }
        values
    };
    let value = VALUES.get(usize::from(byte)).copied();
    value.filter(|&value| value != NONE)
}

/// The index and the token of a signature text. Leading zeros of the index and further words are
/// tolerated, as by 3.0.6.
pub(super) fn split_signature(text: &[u8]) -> Option<(u8, &[u8])> {
    if text.len() > MAX_SIGNATURE {
        return None;
    }
    let mut words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let (index, token) = (words.next()?, words.next()?);
    let index = index.iter().try_fold(0_u8, |index, &byte| {
        if byte.is_ascii_digit() {
            index.checked_mul(10)?.checked_add(byte - b'0')
        } else {
            None
        }
    })?;
    Some((index, token))
}

/// Longer signature texts are refused unread; ours have at most 67 bytes.
const MAX_SIGNATURE: usize = 200;

/// A number by which two lists of names can be compared: CRC-32/CKSUM over the names, each followed by a
/// zero byte. Tells accidents apart, not forgeries.
pub fn checksum<'a>(names: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut digest = CHECKSUM.digest();
    for name in names {
        digest.update(name);
        digest.update(&[0]);
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(method: Method, key: &[u8], data: &[u8]) -> String {
        let mut signer = Signer::new(&Key {
            method,
            text: key.to_vec(),
        });
        signer.put(data);
        String::from_utf8(signer.token().as_bytes().to_vec()).unwrap()
    }

    fn accepts(method: Method, key: &[u8], data: &[u8], token: &str) -> bool {
        let mut signer = Signer::new(&Key {
            method,
            text: key.to_vec(),
        });
        signer.put(data);
        signer.accepts(token.as_bytes())
    }

    #[test]
    fn md5_and_sha1_agree_with_rfc_2202() {
        let jefe = (
            b"Jefe".as_slice(),
            b"what do ya want for nothing?".as_slice(),
        );
        let long = (
            [0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice(),
        );
        assert_eq!(
            token(Method::Md5, &[0x0b; 16], b"Hi There"),
            "9294727a3638bb1c13f48ef8158bfc9d"
        );
        assert_eq!(
            token(Method::Md5, jefe.0, jefe.1),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            token(Method::Md5, &long.0, long.1),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
        assert_eq!(
            token(Method::Sha1, &[0x0b; 20], b"Hi There"),
            "b617318655057264e28bc0b6fb378c8ef146be00"
        );
        assert_eq!(
            token(Method::Sha1, jefe.0, jefe.1),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            token(Method::Sha1, &long.0, long.1),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }

    #[test]
    fn sha256_agrees_with_rfc_4231() {
        assert_eq!(
            token(Method::Sha256, &[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            token(Method::Sha256, b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn crc_agrees_with_the_catalogue_and_has_no_leading_zeros() {
        assert_eq!(token(Method::Crc, b"", b"123456789"), "765e7680");
        assert_eq!(Token::of_checksum(0).as_bytes(), b"0");
        for checksum in [
            1,
            0xf,
            0x10,
            0xfff,
            0x1000,
            0x0123_4567,
            0x1234_5678,
            u32::MAX,
        ] {
            assert_eq!(
                Token::of_checksum(checksum).as_bytes(),
                format!("{checksum:x}").as_bytes()
            );
        }
    }

    #[test]
    fn a_token_is_accepted_only_as_it_was_made() {
        for method in [Method::Crc, Method::Md5, Method::Sha1, Method::Sha256] {
            let right = token(method, b"key", b"data");
            assert!(accepts(method, b"key", b"data", &right));
            assert!(!accepts(method, b"key", b"Data", &right));
            assert!(!accepts(method, b"key", b"data", &right.to_uppercase()));
            assert!(!accepts(method, b"key", b"data", &right[1..]));
            assert!(!accepts(method, b"key", b"data", &right[2..]));
            assert!(!accepts(method, b"key", b"data", &format!("{right}00")));
            assert!(!accepts(method, b"key", b"data", ""));
        }
        assert!(!accepts(
            Method::Sha1,
            b"kez",
            b"data",
            &token(Method::Sha1, b"key", b"data")
        ));
    }

    /// The beginning of the same digests, so `md5_and_sha1_agree_with_rfc_2202` speaks for these too.
    #[test]
    fn a_short_token_is_the_first_96_bits_and_nothing_less_is_accepted() {
        for (method, beginning) in [
            (Method::Md5, "dQx4PmqwtQPqqG4x"),
            (Method::Sha1, "7/zfauXrL6LSdBbV"),
            (Method::Sha256, "W9zBRr9gdU5qBCQm"),
        ] {
            let signer = || {
                let text = b"Jefe".to_vec();
                let mut signer = Signer::new(&Key { method, text });
                signer.put(b"what do ya want for nothing?");
                signer
            };
            assert_eq!(signer().short_token().as_bytes(), beginning.as_bytes());
            assert!(signer().accepts_short(beginning.as_bytes()));
            for token in [&beginning[..12], &beginning[4..], &beginning.to_lowercase()] {
                assert!(!signer().accepts_short(token.as_bytes()), "{token}");
            }
            assert!(!signer().accepts_short(format!("{beginning}AAAA").as_bytes()));
            assert!(!signer().accepts_short(b""));
        }
        let mut checksum = Signer::new(&Key {
            method: Method::Crc,
            text: Vec::new(),
        });
        checksum.put(b"123456789");
        assert_eq!(checksum.short_token().as_bytes(), b"765e7680");
    }

    #[test]
    fn signature_text_is_an_index_and_a_token() {
        assert_eq!(split_signature(b"2 abc"), Some((2, b"abc".as_slice())));
        assert_eq!(split_signature(b"0002 abc"), Some((2, b"abc".as_slice())));
        assert_eq!(split_signature(b"2"), None);
        assert_eq!(split_signature(b""), None);
        assert_eq!(split_signature(b"abc 2"), None);
        assert_eq!(split_signature(b"256 abc"), None);
        assert_eq!(split_signature(b"-1 abc"), None);
        assert_eq!(
            split_signature(&[b"2 ".as_slice(), &[b'a'; 300]].concat()),
            None
        );
    }

    #[test]
    fn crc_counts_only_where_it_signs() {
        let crc = Key {
            method: Method::Crc,
            text: Vec::new(),
        };
        let sha1 = Key {
            method: Method::Sha1,
            text: b"secret".to_vec(),
        };
        let mut keys = Keys {
            entries: Default::default(),
            signing: 2,
        };
        keys.entries[1] = Some(crc.clone());
        keys.entries[2] = Some(sha1.clone());
        assert!(!keys.trusts(&crc));
        assert!(keys.trusts(&sha1));
        keys.signing = 1;
        assert!(keys.trusts(&crc));
        assert!(keys.trusts(&sha1));
    }

    #[test]
    fn a_key_shown_for_debugging_tells_its_method_and_nothing_of_its_text() {
        let key = Key {
            method: Method::Sha1,
            text: b"a secret".to_vec(),
        };
        let shown = format!("{key:?}");
        assert!(shown.contains("Sha1"), "{shown}");
        assert!(
            !shown.contains("secret") && !shown.contains("97"),
            "{shown}"
        );
    }

    #[test]
    fn a_signature_may_have_as_many_bytes_as_a_line_has_room_for() {
        let text = |length: usize| {
            let mut text = b"2 ".to_vec();
            text.resize(length, b'a');
            text
        };
        assert!(split_signature(&text(MAX_SIGNATURE)).is_some());
        assert!(split_signature(&text(MAX_SIGNATURE + 1)).is_none());
    }
}
