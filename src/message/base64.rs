//! Standard base64 with padding: how the classic form carries binary values.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::Sink;

/// Bytes encoded at a time; a multiple of three, so that only the last piece is padded.
const PIECE: usize = 48;

/// Writes the encoding of `bytes`.
pub(super) fn encode(bytes: &[u8], out: &mut impl Sink) {
    let mut text = [0; PIECE / 3 * 4];
    for piece in bytes.chunks(PIECE) {
        let length = STANDARD
            .encode_slice(piece, &mut text)
            .expect("the buffer has four bytes for every three of a piece");
        out.put(text.get(..length).unwrap_or_default());
    }
}

/// The encoding of a few bytes, without allocation: how many characters it has; none where `text` has no room for it.
pub(super) fn encode_into(bytes: &[u8], text: &mut [u8]) -> usize {
    STANDARD.encode_slice(bytes, text).unwrap_or(0)
}

/// What `text` stands for, where that is `N` bytes; `N` is a multiple of three.
pub(super) fn decode_exactly<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_right_length = text.len() == N / 3 * 4;
    let decoded = is_right_length.then(|| STANDARD.decode_slice(text, &mut bytes).ok());
    (decoded.flatten() == Some(N)).then_some(bytes)
}

/// Appends what `text` stands for to `out`; false, with `out` unchanged, when it is not base64.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.resize(start + text.len() / 4 * 3 + 3, 0);
    let decoded = match out.get_mut(start..) {
        Some(space) => STANDARD.decode_slice(text, space).ok(),
        None => None,
    };
    out.truncate(start + decoded.unwrap_or(0));
    decoded.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10, and pieces longer than one buffer.
    #[test]
    fn encoding_and_decoding_agree_with_the_rfc() {
        let long = "foobar".repeat(40);
        let long_text = "Zm9vYmFy".repeat(40);
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            (&long, &long_text),
        ] {
            let (mut encoded, mut decoded) = (Vec::new(), b"kept".to_vec());
            encode(plain.as_bytes(), &mut encoded);
            assert_eq!(encoded, text.as_bytes());
            assert!(decode(text.as_bytes(), &mut decoded));
            assert_eq!(decoded, format!("kept{plain}").as_bytes());
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Z===", "Zm9v\n", "Zm 9v", "Zm9v=", "====", "Zm9_",
        ] {
            let mut out = b"kept".to_vec();
            assert!(!decode(text.as_bytes(), &mut out), "{text}");
            assert_eq!(out, b"kept");
        }
    }
}
