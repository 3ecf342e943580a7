//! What the parts of a heartbeat cost in instructions, and that none of them has become dearer: `make counts`.
//!
//! Each case runs alone under callgrind, which counts what the processor was asked to do between the beginning and the end of
//! the part that [`Meter::measure`](meter::Meter::measure) encloses. A busy machine counts the same as a quiet one, so a
//! regression of a few per cent is told from chance. The counts are held against those in `benches/limits.json` ([`limits`]).
//!
//!     cargo run --release --example counts                            all of them
//!     cargo run --release --example counts -- seal turn               those whose names begin so
//!     HB_UPDATE_EXPECTED=1 cargo run --release --example counts       records them anew; look at the difference
//!
//! An example and not a bench: Cargo builds benches with panics that unwind, and no user has such a program.

#[path = "../../tests/lab/mod.rs"]
mod lab;

mod callgrind;
mod core;
mod files;
#[path = "../side_by_side/growth.rs"]
mod growth;
mod limits;
mod message;
mod meter;
#[expect(dead_code, reason = "it has the other tables of the page, too")]
#[path = "../side_by_side/page.rs"]
mod page;
mod pair;
mod rejection;
mod takeover;
mod turn;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use lab::sandbox;
use limits::Limits;
use meter::Case;

/// Runs one case, under callgrind, by its name.
const ONCE: &str = "--once";

/// How many cases are counted at a time.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if !sandbox::is_inside() {
        eprintln!("cannot count here: {}", sandbox::enter());
        return ExitCode::FAILURE;
    }
    let result = match words.as_slice() {
        [once, name] if once == ONCE => run_once(name),
        names => compare(names),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// All cases, in the order in which they are told.
fn cases() -> Vec<Case> {
    [
        message::cases(),
        core::cases(),
        rejection::cases(),
        turn::cases(),
        takeover::cases(),
        files::cases(),
    ]
    .concat()
}

fn run_once(name: &str) -> Result<(), String> {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == name);
    case.ok_or_else(|| format!("no case is called {name}"))?
        .run();
    Ok(())
}

fn compare(beginnings: &[String]) -> Result<(), String> {
    let is_wanted = |case: &Case| {
        beginnings.is_empty() || beginnings.iter().any(|begin| case.name.starts_with(begin))
    };
    let cases: Vec<Case> = cases().into_iter().filter(is_wanted).collect();
    if cases.is_empty() {
        return Err(format!("no case begins with {}", beginnings.join(" or ")));
    }
    let machine = callgrind::machine()?;
    let counted = count(&cases)?;
    let is_whole = beginnings.is_empty();
    if env::var_os("HB_UPDATE_EXPECTED").is_some() {
        limits::record(machine, &counted, is_whole)?;
        return show();
    }
    let verdict = Limits::read()?.judge(&machine, &counted, is_whole);
    print!("{verdict}");
    if is_whole {
        save(&verdict.sheet())?;
    }
    if verdict.is_met() {
        Ok(())
    } else {
        Err(verdict.complaint())
    }
}

/// The table of the page about performance is what the file of limits says.
fn show() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| {
        fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
    };
    let counts = page::counts(&read("benches/limits.json")?)?;
    let text = page::between_marks(&read(page::PAGE)?, "counts", &counts)?;
    fs::write(root.join(page::PAGE), text).map_err(|error| format!("{}: {error}", page::PAGE))
}

/// Several at a time: a count does not mind, and some cases wait for most of their time.
fn count(cases: &[Case]) -> Result<Vec<(String, u64)>, String> {
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let count = callgrind::count(&case.name);
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.insert(&case.name, count);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let mut counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let in_order = cases.iter().map(|case| {
        let count = counts.remove(&case.name);
        let count = count.ok_or_else(|| format!("two cases are called {}", case.name))?;
        Ok((case.name.clone(), count?))
    });
    in_order.collect()
}

/// Where the table at the end of `make bench` finds it.
fn save(sheet: &Value) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/side_by_side");
    let place = folder.join("counts.json");
    let written =
        fs::create_dir_all(&folder).and_then(|()| fs::write(&place, format!("{sheet:#}\n")));
    written.map_err(|error| format!("{}: {error}", place.display()))
}
