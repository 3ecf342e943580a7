//! The configuration's reader: the disk, with a note of what was read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::look::look_for_programs;
use crate::config::{self, Diagnostics, Reader, Source};
use crate::control::{self, Files, Places};
use crate::os::process::host_name;

/// No configuration file is longer.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Reads files and remembers them.
#[derive(Debug, Default)]
pub struct Disk {
    /// `-M`: as if there were no resources.
    no_resources: bool,
    seen: RefCell<BTreeMap<PathBuf, control::File>>,
}

impl Disk {
    /// With `no_resources`, `haresources` is empty whatever it says.
    pub fn new(no_resources: bool) -> Self {
        Self {
            no_resources,
            seen: RefCell::default(),
        }
    }

    /// What was read, for a daemon whose configuration is in `directory`.
    pub fn into_files(self, directory: &Path) -> Files {
        let seen = self.seen.into_inner().into_iter();
        let named = seen.filter_map(|(path, file)| Some((name_in(directory, &path)?, file)));
        Files(named.collect())
    }
}

impl Reader for Disk {
    fn read(&self, path: &Path) -> io::Result<Source> {
        let is = |name| path.file_name().is_some_and(|file| file == name);
        if self.no_resources && is("haresources") {
            return Ok(Source {
                mode: 0o644,
                ..Source::default()
            });
        }
        let source = read(path)?;
        let file = control::File::new(&source.text, source.mode);
        self.seen.borrow_mut().insert(path.to_owned(), file);
        Ok(source)
    }
}

/// How a file is called on its way to the daemon: those of the directory by their names, wherever that is for either side;
/// others, which `ha.cf` names, by their paths.
pub(super) fn name_in(directory: &Path, path: &Path) -> Option<String> {
    let name = if path.parent() == Some(directory) {
        path.file_name()?.to_str()
    } else {
        path.to_str()
    };
    name.map(str::to_owned)
}

/// Without waiting, should it be a pipe.
fn read(path: &Path) -> io::Result<Source> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(Source {
        text,
        mode: metadata.permissions().mode(),
    })
}

/// Reads and checks the three files, and looks for the programs that they name. Not for the event loop.
pub fn load_here(
    places: &Places,
    disk: &Disk,
) -> Result<(config::Config, Diagnostics), Diagnostics> {
    config::load_looking(
        &places.configuration,
        &host_name(),
        disk,
        &look_for_programs,
    )
}

/// Reads and checks the three files.
pub fn load(places: &Places, disk: &Disk) -> Result<(config::Config, Diagnostics), Diagnostics> {
    config::load(&places.configuration, &host_name(), disk)
}
