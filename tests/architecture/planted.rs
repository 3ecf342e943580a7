//! Faults on purpose: each is planted into a small sound tree, and the rules must name it.

use std::collections::BTreeSet;

use crate::rules::{LONGEST_FILE, violations};
use crate::source::Source;

/// A tree with nothing wrong in it, and much in it that only looks wrong.
const SOUND: &[(&str, &str)] = &[
    (
        "src/lib.rs",
        "pub mod cluster;\n#[allow(unsafe_code)]\npub mod os;\npub const VERSION: &str = \"1\";",
    ),
    (
        "src/main.rs",
        "use heartbeat::{config::Config, daemon};\nfn main() { daemon::run(); println!(\"x\"); }",
    ),
    (
        "src/bin/cl_status.rs",
        "fn main() { heartbeat::client::cl_status(); }",
    ),
    (
        "src/os/mod.rs",
        "pub fn f() {\n    // SAFETY: touches nothing.\n    unsafe { libc::sync() }\n}",
    ),
    (
        "src/message/mod.rs",
        "use sha2::Sha256;\nuse std::collections::BTreeMap;\npub struct Keys(Sha256);",
    ),
    (
        "src/config/mod.rs",
        "mod table;\nmod value;\nuse crate::message::Keys;\npub use table::ALL as DIRECTIVES;\n\
         pub struct Config { keys: Keys }\npub const LIMIT: usize = 1;\n\
         pub struct Reader;\nimpl Drop for Reader { fn drop(&mut self) { read(); } }\n\
         pub fn read() { DIRECTIVES; self.value }\npub fn check() { read() }",
    ),
    (
        "src/config/table.rs",
        "use super::{LIMIT, value::time};\nuse super::Config;\npub static ALL: u8 = time();\npub fn find() {}",
    ),
    ("src/config/value.rs", "use super::LIMIT;\npub fn time() {}"),
    (
        "src/config/rules.rs",
        "mod limit;\nuse super::table::find;\npub struct Rule(u8);\npub const LEAST: u8 = 0;\n\
         impl Rule { fn f() { limit::MOST; find() } }",
    ),
    (
        "src/config/rules/limit.rs",
        "use super::LEAST;\npub const MOST: u8 = LEAST;",
    ),
    (
        "src/control/mod.rs",
        "use serde::Serialize;\n#[derive(Serialize)]\npub struct Request;",
    ),
    (
        "src/resource/mod.rs",
        "use crate::config::Config;\nuse crate::os;\npub fn f(_: Config) { os::f(); }",
    ),
    (
        "src/client/mod.rs",
        "use crate::control::Request;\npub fn cl_status() -> Request { Request }",
    ),
    (
        "src/cluster/mod.rs",
        "mod link;\nmod node;\nmod time;\nuse crate::message::Keys;\npub use link::Link;\npub use time::Instant;\n\
         pub struct LinkId(u8);\npub struct Cluster { link: Link, keys: Keys, at: time::Instant }\n\
         fn f() { crate::VERSION; let _unsafe = \"unsafe std::fs::read\"; /* /* log::info!() */ std::env */ }",
    ),
    (
        "src/cluster/time.rs",
        "use std::{ops::Add, time::Duration};\npub struct Instant(u64);",
    ),
    (
        "src/cluster/link.rs",
        "use super::{Instant, LinkId};\npub struct Link { id: LinkId, at: Instant }",
    ),
    (
        "src/cluster/node.rs",
        "use super::link::Link;\nfn f<'std>(c: char) -> bool { c == '\"' || c == '\\'' || self.log::<u8>() }\n\
         #[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n    fn f() { crate::daemon::run(); }\n}",
    ),
    (
        "src/daemon/mod.rs",
        "mod log;\nuse crate::cluster::Cluster;\nuse self::log::line;\nuse std::time::Instant;\nuse mio::Poll;\n\
         fn f() { crate::resource::f(crate::control::Request); }",
    ),
    (
        "src/daemon/log.rs",
        "use super::clock;\npub fn line(mut path: u8) { path = 1; ::log::info!(\"{}\", path = path); eprintln!(); }",
    ),
    (
        "src/daemon/clock.rs",
        "#[expect(clippy::disallowed_methods, reason = \"the clock\")]\nfn now() {}",
    ),
];

/// Where, what, and a part of what must be said about it.
#[rustfmt::skip] // one fault a line
const FAULTS: &[(&str, &str, &str)] = &[
    // the core reaches for the shell
    ("src/cluster/a.rs", "use crate::daemon::Clock;", "cluster must not use daemon"),
    ("src/cluster/a.rs", "use crate::{message::Keys, os::{self, clock}};", "cluster must not use os"),
    ("src/cluster/a.rs", "fn f() { crate::resource::address::add(); }", "cluster must not use resource"),
    ("src/cluster/a.rs", "use super::super::control::Request;", "cluster must not use control"),
    ("src/cluster/a.rs", "mod b { use super::super::super::client; }", "cluster must not use client"),
    ("src/cluster/a.rs", "use crate as c;\nfn f() { c::daemon::run(); }", "cluster must not use daemon"),
    ("src/cluster/a.rs", "use crate::*;", "cluster names the whole crate"),
    ("src/cluster/a.rs", "macro_rules! m { () => { $crate::daemon::run() } }", "cluster must not use daemon"),
    ("src/cluster/a.rs", "fn f() -> <crate::os::Fd as Drop>::T {}", "cluster must not use os"),
    ("src/cluster/a.rs", "fn f() { for _ in 0..crate::os::MAX {} }", "cluster must not use os"),
    ("src/cluster/a.rs", "use crate::config::ha_cf::parse;", "the types of config only"),
    ("src/cluster/a.rs", "use crate::config;\nfn f() { config::read(); }", "the types of config only"),
    // the core reaches for the world
    ("src/cluster/a.rs", "use std::time::{Duration, Instant};", "must not use std::time::Instant"),
    ("src/cluster/a.rs", "use std::time;\nfn f() { time::SystemTime::now(); }", "std::time::SystemTime"),
    ("src/cluster/a.rs", "use std as s;\nfn f() { s::fs::read(\"x\"); }", "must not use std::fs"),
    ("src/cluster/a.rs", "use std::time::*;", "must not use std::time::Instant"),
    ("src/cluster/a.rs", "use std::collections::HashMap;", "must not use std::collections::HashMap"),
    ("src/cluster/a.rs", "use std::collections::{BTreeMap, HashSet as Set};", "std::collections::HashSet"),
    ("src/cluster/a.rs", "fn f() { ::std::thread::yield_now(); }", "must not use std::thread"),
    ("src/cluster/a.rs", "use std::process::Command;", "must not use std::process"),
    ("src/cluster/a.rs", "fn f() -> Option<std::env::Args> { None }", "must not use std::env"),
    ("src/cluster/a.rs", "use std::net::UdpSocket;", "must not use std::net::UdpSocket"),
    ("src/cluster/a.rs", "use core::ffi::CStr;", "must not use std::ffi"),
    ("src/cluster/a.rs", "fn f() { println!(\"x\"); }", "must not use println!"),
    ("src/cluster/a.rs", "fn f() { log::warn!(\"x\"); }", "must not use the crate log"),
    ("src/cluster/a.rs", "use log::{self as l};", "must not use the crate log"),
    ("src/cluster/a.rs", "use mio::Token;", "must not use the crate mio"),
    ("src/cluster/a.rs", "const S: &str = r#\"\"\"#; use std::fs;", "must not use std::fs"),
    ("src/cluster/a.rs", "#[cfg(test)]\nuse std::{env};\nuse std::fs;", "must not use std::fs"),
    ("src/cluster/a.rs", "#[cfg(not(test))]\nuse std::fs;", "must not use std::fs"),
    // the other folders
    ("src/config/a.rs", "use crate::cluster::Instant;", "config must not use cluster"),
    ("src/config/a.rs", "use crate::message::framing::decode;", "the types of message only"),
    ("src/config/a.rs", "fn f() { std::fs::read_to_string(\"x\"); }", "must not use std::fs"),
    ("src/message/a.rs", "use crate::config::Config;", "message must not use config"),
    ("src/message/a.rs", "use socket2::Socket;", "must not use the crate socket2"),
    ("src/resource/a.rs", "use crate::cluster::GroupId;", "resource must not use cluster"),
    ("src/control/a.rs", "use crate::daemon::Turn;", "control must not use daemon"),
    ("src/resource/a.rs", "use crate::client::ask;", "resource must not use client"),
    ("src/client/a.rs", "use crate::cluster::Cluster;", "client must not use cluster"),
    ("src/os/a.rs", "use crate::config::Config;", "os must not use config"),
    ("src/bin/a.rs", "use heartbeat::daemon::run;", "bin must not use daemon"),
    ("src/bin/a.rs", "fn main() { heartbeat::cluster::f(); }", "bin must not use cluster"),
    ("src/lib.rs", "pub use daemon::run;\npub mod daemon;", "lib must not use daemon"),
    ("src/stray.rs", "", "stands in no folder"),
    ("src/other/mod.rs", "", "stands in no folder"),
    // circles
    ("src/message/a.rs", "use crate::cluster::Link;", "in a circle: cluster → message → cluster"),
    ("src/cluster/link.rs", "use super::node::Node;", "in a circle: cluster::link → cluster::node"),
    ("src/cluster/time.rs", "use super::Link;", "in a circle: cluster::link → cluster::time"),
    ("src/cluster/link.rs", "use super::*;", "in a circle: cluster → cluster::link → cluster"),
    ("src/cluster/link.rs", "impl super::Cluster {}", "cluster::Cluster takes Link from cluster::link"),
    ("src/config/value.rs", "use super::table::ALL;", "in a circle: config::table → config::value"),
    ("src/config/value.rs", "use super::table::ALL;", "config::value takes ALL from config::table"),
    ("src/config/value.rs", "fn f() { super::table::find() }", "takes find from config::table"),
    ("src/config/value.rs", "use super::DIRECTIVES;", "takes ALL from config::table"),
    ("src/config/value.rs", "use crate::config;\nfn f() { config::DIRECTIVES; }", "takes ALL from config::table"),
    ("src/config/value.rs", "use super::rules::Rule;", "config::table → config::value → config::rules::Rule → config::table"),
    ("src/config/value.rs", "use super::read;", "config::value takes read from config::read"),
    ("src/config/value.rs", "use super::check;", "config::check takes ALL from config::table"),
    ("src/config/value.rs", "use super::Reader;", "config::Reader takes ALL from config::table"),
    ("src/config/rules/limit.rs", "use super::Rule;", "config::rules::Rule takes MOST from config::rules::limit"),
    ("src/daemon/clock.rs", "use super::log::line;", "daemon::log → daemon::clock → daemon::log"),
    // unsafe code, and ways around the guards
    ("src/daemon/a.rs", "fn f() { unsafe { g() } }", "unsafe code belongs in os"),
    ("src/cluster/a.rs", "#[cfg(test)]\nmod tests { unsafe fn f() {} }", "unsafe code belongs in os"),
    ("src/daemon/a.rs", "#![allow(unsafe_code)]", "lifted for os alone"),
    ("src/lib.rs", "#[allow(unsafe_code)]\npub mod daemon;", "lifted for os alone"),
    ("src/cluster/a.rs", "include!(\"../daemon/clock.rs\");", "hides a dependency"),
    ("src/cluster/a.rs", "#[path = \"../daemon/clock.rs\"]\nmod clock;", "hides a dependency"),
    ("src/cluster/a.rs", "#[cfg_attr(unix, path = \"../os/fd.rs\")]\nmod fd;", "hides a dependency"),
    ("src/cluster/a.rs", "extern crate std as s;", "hides a dependency"),
    ("src/daemon/a.rs", "#![allow(clippy::disallowed_methods)]", "in daemon/clock.rs alone"),
];

#[test]
fn a_sound_tree_passes() {
    assert_eq!(judge(SOUND), Vec::<String>::new());
}

#[test]
fn every_planted_fault_is_named() {
    let mut missed = Vec::new();
    for (path, text, expected) in FAULTS {
        let said = judge(&with(path, text));
        if !said.iter().any(|sentence| sentence.contains(expected)) {
            missed.push(format!(
                "{path}: {text:?}\n    wanted: {expected}\n    said: {said:?}"
            ));
        }
    }
    assert!(missed.is_empty(), "\n{}\n", missed.join("\n"));
}

#[test]
fn a_file_that_grew_too_long_is_named_but_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(LONGEST_FILE);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(
        judge(&with("src/daemon/a.rs", &format!("{long}{tests}"))),
        Vec::<String>::new()
    );
    let said = judge(&with(
        "src/daemon/a.rs",
        &format!("{long}fn g() {{}}\n{tests}"),
    ));
    assert!(
        matches!(said.as_slice(), [one] if one.contains("has 501 lines")),
        "{said:?}"
    );
}

fn with<'a>(path: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = SOUND.iter().filter(|(name, _)| *name != path);
    others.copied().chain([(path, text)]).collect()
}

fn judge(tree: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = tree
        .iter()
        .map(|(path, text)| Source::read(path, text))
        .collect();
    let crates = ["libc", "log", "mio", "serde", "sha2", "socket2"];
    violations(&sources, &BTreeSet::from(crates.map(str::to_owned)))
}
