//! The media on real ptys and real interfaces, the latter in namespaces that the tests make for themselves.

mod bench;
mod network;
mod serial;
mod storm;
