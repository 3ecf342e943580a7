//! A peer that runs heartbeat 3.0.6: it knows groups by halves or by name, says what it holds in messages of its own,
//! and hands groups over in dialogues.

mod conversation;
mod dialogue;
mod halves;
mod ipfail;
mod legacy;
mod questions;

pub(super) use halves::{ClassicPeer, Dialogue};
pub(super) use questions::Questions;
#[cfg(test)]
pub(super) use {
    halves::{Dispute, Halves},
    questions::Asking,
};
