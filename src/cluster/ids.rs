//! What links and groups are called by.

/// A link: one path to the peer. The index into [`Settings::links`](super::Settings::links).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u8);

/// A resource group. The index into [`Settings::groups`](super::Settings::groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// A ping node. The index into [`PingSettings::nodes`](super::PingSettings::nodes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PingId(pub u8);
