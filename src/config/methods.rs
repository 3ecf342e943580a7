//! The signing methods under their names in `authkeys`.

use crate::message::Method;

/// The names of the methods.
pub(super) const METHODS: [(&str, Method); 4] = [
    ("crc", Method::Crc),
    ("md5", Method::Md5),
    ("sha1", Method::Sha1),
    ("sha256", Method::Sha256),
];

/// The method of this exact name.
pub(super) fn method(name: &str) -> Option<Method> {
    METHODS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, method)| *method)
}
