//! What outlives a restart: our uuid, our generation, and what was seen of the peer.
//!
//! The generation is stored before the first message is sent. A generation that goes back would make the
//! peer refuse us as a replay, and then both nodes would take everything: rather than risk that, a start
//! that cannot store it is refused.

mod files;
mod host_cache;
mod newest;
pub mod next_run;
mod recorder;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use crate::cluster::PeerMemory;
use files::Stored;
pub use files::{read, replace};
pub use host_cache::{FILE as HOST_CACHE_FILE, HostCache};
pub use newest::NewestFile;
use next_run::{Condition, Left, NextRun, host_cache_text};
pub use recorder::Recorder;

/// What the state directory says about this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// This node.
    pub uuid: [u8; 16],
    /// This run.
    pub generation: u64,
    /// This run may go on under later numbers, up to this one, which is what is stored.
    pub last_generation: u64,
    /// What an earlier run saw of the peer.
    pub peer: Option<PeerMemory>,
}

/// What to do it with.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The state directory; made when missing.
    pub directory: &'a Path,
    /// Our name.
    pub local_node: &'a str,
    /// The peer's name; what is remembered of another is of no use.
    pub peer_node: &'a str,
    /// `hbgenmethod time`
    pub generation_from_time: bool,
    /// `uuidfrom nodename`
    pub uuid_from_node_name: bool,
    /// Wall clock, for a generation that nothing else is known of.
    pub wall_seconds: u64,
}

/// What was tried on which file, and why it didn't work.
#[derive(Debug)]
pub struct Error {
    what: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, path, cause } = self;
        write!(f, "cannot {what} {}: {cause}", path.display())
    }
}

impl Error {
    /// Whether more rights would have helped.
    pub fn is_permission(&self) -> bool {
        self.cause.kind() == io::ErrorKind::PermissionDenied
    }
}

/// Reads the state and stores the generation of this run. Says what had to be repaired.
///
/// # Errors
/// When the generation, or a new uuid, can't be stored.
pub fn open(wanted: &Wanted<'_>) -> Result<State, Error> {
    let directory = wanted.directory;
    std::fs::create_dir_all(directory).map_err(error("make the directory", directory))?;
    let next = after_what_is_left(wanted)?;
    let uuid = own_uuid(wanted)?;
    let last_generation = next.last_generation();
    store_generation(directory, &next.generation_text())?;
    let peer = next.peer.filter(|(name, _)| name == wanted.peer_node);
    let cache = host_cache_text(last_generation, peer.clone());
    let path = directory.join(host_cache::FILE);
    if let Err(error) = replace(&path, cache.as_bytes()) {
        // Only a second copy: the generation itself is safe.
        log::warn!("Cannot store {}: {error}", path.display());
    }
    Ok(State {
        uuid,
        generation: next.generation,
        last_generation,
        peer: peer.map(|(_, peer)| peer),
    })
}

fn error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error { what, path, cause }
}

/// Reads both files, and tells which of them is not what was written.
fn after_what_is_left(wanted: &Wanted<'_>) -> Result<NextRun, Error> {
    let cache_path = wanted.directory.join(host_cache::FILE);
    let host_cache = files::read(&cache_path, 4096).map_err(error("read", &cache_path))?;
    let path = wanted.directory.join("hb_generation");
    let generation = files::read(&path, 64).map_err(error("read", &path))?;
    let left = Left {
        generation: generation.as_deref(),
        host_cache: host_cache.as_deref(),
    };
    let next = NextRun::after(left, wanted.generation_from_time, wanted.wall_seconds);
    let next = next.map_err(|next_run::TooHigh| {
        error("count on from the number in", &path)(io::Error::other("it is too high"))
    })?;
    if next.host_cache == Condition::Damaged {
        log::warn!(
            "{} is damaged: what was known of the peer is forgotten",
            cache_path.display()
        );
    }
    let start = next.generation;
    match next.generation_file {
        Condition::Whole => {}
        Condition::Missing => log::warn!("No Previous generation - starting at {start}"),
        Condition::Damaged => log::warn!(
            "BROKEN previous generation - starting at {start}: {} is damaged",
            path.display()
        ),
    }
    Ok(next)
}

fn store_generation(directory: &Path, text: &str) -> Result<(), Error> {
    let path = directory.join("hb_generation");
    match files::replace_or_overwrite(&path, text.as_bytes())
        .map_err(error("store the generation in", &path))?
    {
        Stored::Replaced => {}
        Stored::Overwritten(reason) => {
            log::warn!(
                "{} was written in place, there is no room for a new file: {reason}",
                path.display()
            );
        }
    }
    Ok(())
}

fn own_uuid(wanted: &Wanted<'_>) -> Result<[u8; 16], Error> {
    if wanted.uuid_from_node_name {
        let mut digest = Md5::new();
        digest.update(b"heartbeat node ");
        digest.update(wanted.local_node.as_bytes());
        return Ok(uuid::Builder::from_md5_bytes(digest.finalize().into())
            .into_uuid()
            .into_bytes());
    }
    let path = wanted.directory.join("hb_uuid");
    let bytes = files::read(&path, 64).map_err(error("read", &path))?;
    match bytes.as_deref().map(<[u8; 16]>::try_from) {
        Some(Ok(uuid)) if uuid != [0; 16] => return Ok(uuid),
        None => log::info!(
            "No uuid found in current directory {}: making one",
            wanted.directory.display()
        ),
        Some(_) => log::warn!("{} is damaged: making a new uuid", path.display()),
    }
    let uuid = uuid::Builder::from_random_bytes(random_bytes()?)
        .into_uuid()
        .into_bytes();
    replace(&path, &uuid).map_err(error("store the uuid in", &path))?;
    Ok(uuid)
}

/// From the kernel's random source.
///
/// # Errors
/// When there is none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(error("read", path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::host_cache::HostCache;
    use super::next_run::GENERATIONS_OF_A_RUN;
    use super::*;

    fn open_at(directory: &Path, wall_seconds: u64) -> Result<State, Error> {
        open(&Wanted {
            directory,
            local_node: "ba",
            peer_node: "bb",
            generation_from_time: false,
            uuid_from_node_name: false,
            wall_seconds,
        })
    }

    #[test]
    fn every_start_is_a_later_generation_of_the_same_node() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = open_at(directory.path(), 1000).expect("opens");
        assert_eq!(first.generation, 1001);
        let second = open_at(directory.path(), 5).expect("opens");
        assert_eq!((second.generation, second.uuid), (1101, first.uuid));
        let stored = std::fs::read(directory.path().join("hb_generation")).expect("readable");
        assert_eq!(stored, b"           1200\n");
    }

    #[test]
    fn damage_never_lowers_the_generation() {
        let cases: [&[u8]; 9] = [
            b"",
            b"garbage\n",
            b"-1\n",
            b"0\n",
            b"1\n",
            b"          99",
            b"+5\n",
            b"999999999999999\n",
            &[0xff; 16],
        ];
        for damage in cases {
            let directory = tempfile::tempdir().expect("a directory");
            let before = open_at(directory.path(), 1000).expect("opens").generation;
            std::fs::write(directory.path().join("hb_generation"), damage).expect("written");
            // Even with a clock that says 1970.
            let after = open_at(directory.path(), 0).expect("opens").generation;
            assert!(after > before, "{damage:?}: {after} after {before}");
        }
    }

    #[test]
    fn a_lost_directory_is_made_good_by_the_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut before = open_at(directory.path(), 1000).expect("opens");
        for _ in 0..3 {
            before = open_at(directory.path(), 1000).expect("opens");
        }
        std::fs::remove_dir_all(directory.path()).expect("removed");
        let after = open_at(directory.path(), 1000 + 4 * GENERATIONS_OF_A_RUN).expect("opens");
        assert!(after.generation > before.last_generation);
    }

    #[test]
    fn garbage_without_a_second_copy_becomes_the_time() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("hb_generation"), "garbage").expect("written");
        assert_eq!(
            open_at(directory.path(), 1000).expect("opens").generation,
            1001
        );
    }

    #[test]
    fn a_file_of_the_original_is_taken_over() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("hb_generation"), "     1795198639\n")
            .expect("written");
        std::fs::write(directory.path().join("hb_uuid"), [7; 16]).expect("written");
        let state = open_at(directory.path(), 1).expect("opens");
        assert_eq!((state.generation, state.uuid), (1_795_198_640, [7; 16]));
    }

    #[test]
    fn a_damaged_uuid_is_replaced_by_another_valid_one() {
        for damage in [&b""[..], b"short", &[0; 16], &[1; 17]] {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("hb_uuid"), damage).expect("written");
            let first = open_at(directory.path(), 1).expect("opens");
            assert_ne!(first.uuid, [0; 16]);
            assert_eq!(
                open_at(directory.path(), 1).expect("opens").uuid,
                first.uuid
            );
        }
    }

    #[test]
    fn the_uuid_of_a_name_is_always_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let wanted = |local_node| Wanted {
            directory: directory.path(),
            local_node,
            peer_node: "bb",
            generation_from_time: true,
            uuid_from_node_name: true,
            wall_seconds: 77,
        };
        let first = open(&wanted("ba")).expect("opens");
        let second = open(&wanted("ba")).expect("opens");
        assert_eq!(first.uuid, second.uuid);
        assert_ne!(first.uuid, open(&wanted("bc")).expect("opens").uuid);
        assert_eq!(
            (first.generation, second.generation),
            (78, 78 + GENERATIONS_OF_A_RUN),
            "time, but never twice the same"
        );
    }

    #[test]
    fn only_what_is_remembered_of_this_peer_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let peer = PeerMemory {
            uuid: Some([9; 16]),
            generation: 5,
            sequence: 70,
            in_doubt: false,
        };
        let store = |name: &str| {
            let cache = HostCache {
                generation: 10,
                peer: Some((name.into(), peer)),
            };
            std::fs::write(directory.path().join(host_cache::FILE), cache.to_string())
                .expect("written");
        };
        store("bb");
        assert_eq!(
            open_at(directory.path(), 1).expect("opens").peer,
            Some(peer)
        );
        assert_eq!(
            open_at(directory.path(), 1).expect("opens").peer,
            Some(peer),
            "over several starts"
        );
        store("bc");
        assert_eq!(open_at(directory.path(), 1).expect("opens").peer, None);
    }

    #[test]
    fn a_directory_that_cannot_be_had_is_an_error_that_names_it() {
        let error = open_at(Path::new("/proc/nothing/here"), 1).expect_err("can't be made");
        assert!(error.to_string().contains("/proc/nothing/here"), "{error}");
    }
}
