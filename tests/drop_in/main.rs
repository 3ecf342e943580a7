//! Pairs of ours and the original, Debian's heartbeat 3.0.6, in every mixture: the same cases, the same expectations.
//!
//! A test is named `case::pairing::media`, the pairing by what runs on the first node and on the second:
//! `cargo test --test drop_in -- crash::ours_and_old::on_serial`. Needs root and the original; see [`lab::program`].
//!
//! A case states what is expected on the outside. Whatever does not come true is in `differences.rs` with its reason,
//! or the test fails; whatever is there and comes true fails it too. What the daemons may complain about is in
//! `remarks.rs`.
//!
//! `HB_DROP_IN_LONG=1` plays `loss` for two minutes instead of twelve seconds, `HB_DROP_IN_SOAK=SECONDS` plays `soak` for so long.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod cases;
mod differences;
mod log_check;
mod minimal_peer;
mod pairing;
mod recorded;
mod remarks;
mod stage;

/// Makes a test for each case, pairing and set of media.
macro_rules! cases {
    ($($case:ident $run:path, $($set:ident)+;)+) => {$(
        mod $case {
            cases!(@pairing old_and_old OLD_AND_OLD $case $run, $($set)+);
            cases!(@pairing ours_and_old OURS_AND_OLD $case $run, $($set)+);
            cases!(@pairing old_and_ours OLD_AND_OURS $case $run, $($set)+);
            cases!(@pairing ours_and_ours OURS_AND_OURS $case $run, $($set)+);
        }
    )+};
    (@pairing $name:ident $pairing:ident $case:ident $run:path, $($set:ident)+) => {
        mod $name {
            $(
                #[test]
                fn $set() {
                    let pairing = crate::pairing::$pairing;
                    crate::lab::claim_with(&crate::pairing::DEMANDS, || {
                        let media = crate::pairing::Media::named(stringify!($set));
                        crate::stage::play(stringify!($case), pairing, media, &$run);
                    });
                }
            )+
        }
    };
}

cases! {
    start crate::cases::start::TOGETHER, on_serial on_bcast on_ucast together;
    crash crate::cases::crash::CRASH, on_serial on_bcast on_ucast together;
    stop crate::cases::stop::STOP, on_serial on_bcast on_ucast together;
    late crate::cases::late::LATE, on_serial on_bcast on_ucast together;
    return_on crate::cases::comeback::ON, on_serial on_bcast on_ucast together;
    return_off crate::cases::comeback::OFF, on_serial on_bcast on_ucast together;
    return_legacy crate::cases::comeback::LEGACY, on_serial on_bcast on_ucast together;
    standby crate::cases::planned::STANDBY, on_serial on_bcast on_ucast together;
    takeover crate::cases::planned::TAKEOVER, on_serial on_bcast on_ucast together;
    restart crate::cases::restart::OWN, on_serial on_bcast on_ucast together;
    restart_all crate::cases::restart::ALL, on_serial on_bcast on_ucast together;
    pause crate::cases::pause::PAUSE, on_serial on_bcast on_ucast together;
    link crate::cases::links::EACH, together;
    partition_on crate::cases::links::ALL_ON, on_serial on_bcast on_ucast together;
    partition_off crate::cases::links::ALL_OFF, on_serial on_bcast on_ucast together;
    loss crate::cases::loss::LOSS, on_serial on_bcast on_ucast together;
    many crate::cases::many::MANY, together;
    fresh crate::cases::identity::FRESH, on_serial together;
    large_letters crate::cases::identity::LARGE, together;
    soak crate::cases::soak::SOAK, together;
}
