//! Being scheduled in time: realtime priority and locked memory, with one clear line where that is refused.

use std::path::Path;

use crate::os::scheduling::{lock_memory, set_nice, set_round_robin};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Priority for a machine that refuses realtime.
const NICE: i32 = -15;

/// To be called when everything is allocated and open.
pub fn become_realtime(priority: u8) {
    if let Err(error) = set_round_robin(priority) {
        match set_nice(NICE) {
            Ok(()) => log::warn!(
                "Cannot get realtime priority {priority}: {error}. Running with nice {NICE} instead"
            ),
            Err(_) => log::warn!(
                "Cannot get realtime priority {priority}: {error}. Under load, heartbeats may come late: \
                 give deadtime some room"
            ),
        }
    }
    if let Err(error) = lock_memory() {
        log::warn!(
            "Cannot lock ourselves into memory: {error}. When this machine swaps, heartbeats may come late \
             (LimitMEMLOCK= in the unit, or ulimit -l)"
        );
    }
}

/// Descriptors that the largest pair may need: links, clients, and the outputs of scripts and of what they started.
/// More would only burden old programs among those that inherit the limit.
const DESCRIPTORS: u64 = 4096;

/// Takes what the hard limit leaves.
pub fn prepare_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = DESCRIPTORS.min(hard).max(soft);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map(|()| wanted)
    });
    match raised {
        Ok(limit) if limit < DESCRIPTORS => log::warn!(
            "No more than {limit} open files are allowed: with many links or resources that may be too few \
             (LimitNOFILE= in the unit, or ulimit -n)"
        ),
        Ok(_) => {}
        Err(error) => log::warn!("Cannot set the number of open files: {error}"),
    }
}

/// Where a core file would go, and whether there may be one.
pub fn prepare_core_files(wanted: bool, root: &Path) {
    let limit = getrlimit(Resource::RLIMIT_CORE).and_then(|(_, hard)| {
        setrlimit(Resource::RLIMIT_CORE, if wanted { hard } else { 0 }, hard)
    });
    if let Err(error) = limit {
        log::warn!("Cannot set the size of core files: {error}");
    }
    let places = [&root.join("root"), root, Path::new("/")];
    // One of them is the root directory: a daemon must not keep a file system busy.
    let _ = places
        .into_iter()
        .any(|place| std::env::set_current_dir(place).is_ok());
}
