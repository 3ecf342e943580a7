//! What goes over a wire: bytes to [`Message`] and back, with signatures.

/// The most bytes that a message may have in either form (262 143 in heartbeat 3.0.6).
pub const MAX_WIRE: usize = 262_143;

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
