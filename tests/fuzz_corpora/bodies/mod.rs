//! What each fuzz target does with its input, as plain functions: libFuzzer calls them with whatever it makes up, and the
//! test beside this folder with the kept inputs and changes of them. A claim that does not hold is a panic.

mod capture;
mod config;
mod control;
mod message;
mod network;
mod others;
mod recording;
mod short;
mod state;

/// Takes any input.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `fuzz/seeds`; `events` is with the simulator.
pub const ALL: &[(&str, Body)] = &[
    ("open", message::open_any),
    ("tampered", message::tampered),
    ("short", short::short),
    ("inflate", message::inflate_any),
    ("text_frames", message::text_frames),
    ("resync", message::resync),
    ("ha_cf", config::ha_cf),
    ("authkeys", config::authkeys),
    ("haresources", config::haresources),
    ("resource_word", config::resource_word),
    ("fifo", control::fifo),
    ("request", control::request),
    ("answer", control::answer),
    ("netlink", network::netlink),
    ("ethernet", network::ethernet),
    ("echo", network::echo),
    ("state", state::state),
    ("agent_output", others::agent_output),
    ("probe", others::probe),
    ("processes", others::processes),
    ("recording", recording::recording),
    ("capture", capture::capture),
];

/// The target of this name.
pub fn named(name: &str) -> Body {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found.map_or_else(|| panic!("no target is called {name}"), |(_, body)| *body)
}

/// The first bytes of an input as numbers that steer its target; zero where there are none.
fn steered<const N: usize>(input: &[u8]) -> ([u8; N], &[u8]) {
    match input.split_first_chunk() {
        Some((first, rest)) => (*first, rest),
        None => ([0; N], input),
    }
}

/// Cuts into pieces of `piece` bytes; of at least one.
fn pieces(bytes: &[u8], piece: u8) -> std::slice::Chunks<'_, u8> {
    bytes.chunks(usize::from(piece).max(1))
}
