//! `heartbeat keygen`: makes `authkeys`, or adds a key to it and says how both nodes change over to that one.

mod options;
mod steps;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

pub use options::{Options, parse};

use super::disk::{Disk, load};
use super::exit_status::{self, CONFIGURATION, DONE, FAILED};
use super::terminal::say;
use crate::config::{Reader, RotationError, rotate};
use crate::control::Places;
use crate::message::Method;
use crate::os::random;

/// 256 bits.
const KEY_BYTES: usize = 32;

/// Does it; gives back the exit status.
pub fn run(options: &Options, places: &Places) -> u8 {
    let done = key().and_then(|key| {
        let method = options.method.unwrap_or(Method::Sha256);
        let text = format!("auth 1\n1 {} {key}\n", method.name());
        if options.stdout {
            io::stdout().write_all(text.as_bytes())?;
            return Ok(DONE);
        }
        let path = places.configuration.join("authkeys");
        if options.rotate {
            add(&path, options, &key, places)
        } else {
            make(&path, &text, method, places)
        }
    });
    done.unwrap_or_else(|error| {
        say(&format!("heartbeat keygen: {error}\n"));
        exit_status::of(&error)
    })
}

/// In hexadecimal.
fn key() -> io::Result<String> {
    let mut bytes = [0; KEY_BYTES];
    random::fill(&mut bytes)
        .map_err(|error| because(&error, "no random numbers from the kernel"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A new file. One that is there is left alone.
fn make(path: &Path, text: &str, method: Method, places: &Places) -> io::Result<u8> {
    let shown = path.display();
    let new = New::write(path, text.as_bytes(), None)?;
    // Unlike a renaming, a link takes nothing's place.
    if let Err(error) = fs::hard_link(&new.path, path) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(because(&error, &format!("cannot make {shown}")));
        }
        say(&format!(
            "heartbeat keygen: {shown} is there already and was left alone.\n\
             `heartbeat keygen --rotate` adds a key to it without a gap; to begin anew, remove it on both machines first\n"
        ));
        return Ok(FAILED);
    }
    drop(new);
    sync_directory(path)?;
    print(&steps::after_making(path, method, &names(places)))
}

/// A key more in a file that is there.
fn add(path: &Path, options: &Options, key: &str, places: &Places) -> io::Result<u8> {
    let shown = path.display();
    let source = match Disk::default().read(path) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            say(&format!(
                "heartbeat keygen: there is no {shown} yet: `heartbeat keygen` makes one\n"
            ));
            return Ok(FAILED);
        }
        Err(error) => return Err(because(&error, &format!("cannot read {shown}"))),
    };
    let rotation = match rotate(path, &source, options.method, key) {
        Ok(rotation) => rotation,
        Err(RotationError::Mistakes(mistakes)) => {
            say(&format!(
                "{mistakes}heartbeat keygen: {shown} was left alone\n"
            ));
            return Ok(CONFIGURATION);
        }
        Err(error) => {
            say(&format!(
                "heartbeat keygen: {shown} was left alone: {error}\n"
            ));
            return Ok(FAILED);
        }
    };
    // Where the name is a link, what it leads to is replaced and the link stays.
    let real = fs::canonicalize(path)?;
    let there = fs::metadata(&real)?;
    if usize::try_from(there.len()) != Ok(source.text.len()) {
        say(&format!(
            "heartbeat keygen: {shown} was left alone: it is too long, or is being changed just now\n"
        ));
        return Ok(FAILED);
    }
    let new = New::write(&real, &rotation.text, Some((there.uid(), there.gid())))?;
    new.replace(&real)
        .map_err(|error| because(&error, &format!("cannot replace {shown}")))?;
    sync_directory(&real)?;
    let directory = places.moved.then_some(places.configuration.as_path());
    print(&steps::after_adding(
        path,
        &rotation,
        &names(places),
        directory,
    ))
}

fn print(text: &str) -> io::Result<u8> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(DONE)
}

/// This node and the other one, as far as `ha.cf` says.
fn names(places: &Places) -> [String; 2] {
    match load(places, &Disk::default()) {
        Ok((config, _)) => [config.local_node, config.peer_node],
        Err(_) => ["this machine".into(), "the other machine".into()],
    }
}

/// A file beside another one, for its owner alone; gone with this value, unless it has replaced that one.
struct New {
    path: PathBuf,
    has_moved: bool,
}

impl New {
    /// With this content, on the disk; of this user and group, where they are not the own ones.
    fn write(beside: &Path, text: &[u8], owner: Option<(u32, u32)>) -> io::Result<Self> {
        let mut name = beside.as_os_str().to_owned();
        name.push(".new");
        let path = PathBuf::from(name);
        let mut options = File::options();
        let opened = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = opened.map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    "another keygen is at work, or one was interrupted: then remove"
                }
                _ => "cannot make",
            };
            because(&error, &format!("{what} {}", path.display()))
        })?;
        let new = Self {
            path,
            has_moved: false,
        };
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let made = file.metadata()?;
        if let Some((user, group)) = owner.filter(|owner| *owner != (made.uid(), made.gid())) {
            fchown(&file, Some(user), Some(group))
                .map_err(|error| because(&error, "cannot keep the owner of the file"))?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        Ok(new)
    }

    fn replace(mut self, other: &Path) -> io::Result<()> {
        fs::rename(&self.path, other)?;
        self.has_moved = true;
        Ok(())
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.has_moved {
            let _ = fs::remove_file(&self.path); // at worst the next keygen says that it is there
        }
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)?.sync_all()
}

fn because(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
