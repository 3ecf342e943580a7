//! From a word in `haresources` to what kind of resource it is.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::{Action, Invocation, classic, systemd};
use crate::config::{AddressSpec, ResourceWord, parse_address};

/// What the packages of heartbeat 2 and 3 put under those names: translators that source this file and then
/// call the OCF agent.
const TRANSLATOR_MARK: &[u8] = b"hto-mapfuncs";
/// Enough of a script to see whether it is a translator.
const HEAD: u64 = 16 * 1024;

/// A resource, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A floating address, handled without a program.
    Address {
        /// The address.
        spec: AddressSpec,
        /// The name that log lines bear, one of `IPaddr`, `IPaddr2`, `IPv6addr`.
        agent: String,
        /// What heartbeat 3.0.6 would run, for the log.
        script: PathBuf,
        /// Its arguments as written.
        arguments: Vec<String>,
    },
    /// A script of `resource.d` or `/etc/init.d`.
    Script {
        /// The script.
        path: PathBuf,
        /// What stood between the `::`.
        arguments: Vec<String>,
    },
    /// A service of systemd.
    Unit(String),
}

impl Resource {
    /// What is run, or what the log says is run.
    pub fn invocation(&self, action: Action) -> Invocation {
        match self {
            Self::Address {
                script, arguments, ..
            } => classic::invocation(script, arguments, action),
            Self::Script { path, arguments } => classic::invocation(path, arguments, action),
            Self::Unit(name) => systemd::invocation(name, action),
        }
    }
}

/// Why a word names no resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueError {
    /// There is nothing of that name.
    NotFound {
        /// The name.
        name: String,
        /// Every path looked at, and what was wrong with those that exist.
        looked_at: Vec<String>,
    },
    /// The name can't be that of a script.
    BadName(String),
    /// An OCF agent, which needs the packaged translator.
    Ocf(String),
    /// A unit of systemd takes no arguments.
    UnitWithArguments(String),
    /// The address can't be read.
    Address(String),
}

/// The places where resources are looked for.
#[derive(Debug, Clone)]
pub struct Places {
    /// `resource.d` in the configuration directory.
    pub scripts: PathBuf,
    /// `/etc/init.d`.
    pub init_scripts: PathBuf,
    /// Where units of systemd lie, in its order.
    pub units: Vec<PathBuf>,
}

impl Places {
    /// The usual ones.
    pub fn new(directory: &Path) -> Self {
        let units = [
            "/etc/systemd/system",
            "/run/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ];
        Self {
            scripts: directory.join("resource.d"),
            init_scripts: PathBuf::from("/etc/init.d"),
            units: units.map(PathBuf::from).to_vec(),
        }
    }

    /// What a word means.
    ///
    /// Addresses are built in. Still a script of that name in `resource.d` wins, unless it is one of the
    /// translators that every installation of 3.0.6 has there (they source `hto-mapfuncs`): those stand for
    /// what is built in, and whoever wrote something of his own means it. Then come scripts in `resource.d`,
    /// scripts in `/etc/init.d` and units of systemd.
    pub fn find(&self, word: &ResourceWord) -> Result<Resource, CatalogueError> {
        let ResourceWord {
            name, arguments, ..
        } = word;
        let mut parts = Path::new(name).components();
        if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(CatalogueError::BadName(name.clone()));
        }
        let own = self.scripts.join(name);
        let mut looked_at = Vec::new();
        let address = parse_address(word);
        if script(&own, &mut looked_at) && !(address.is_some() && is_translator(&own)) {
            return Ok(Resource::Script {
                path: own,
                arguments: arguments.clone(),
            });
        }
        if let Some(spec) = address {
            let spec = spec.map_err(|error| CatalogueError::Address(error.to_string()))?;
            let (agent, arguments) = (name.clone(), arguments.clone());
            return Ok(Resource::Address {
                spec,
                agent,
                script: own,
                arguments,
            });
        }
        if name == "OCF" || name.starts_with("ocf:") {
            return Err(CatalogueError::Ocf(word.text.clone()));
        }
        let init = self.init_scripts.join(name);
        if script(&init, &mut looked_at) {
            return Ok(Resource::Script {
                path: init,
                arguments: arguments.clone(),
            });
        }
        self.find_unit(name, arguments, looked_at)
    }

    fn find_unit(
        &self,
        name: &str,
        arguments: &[String],
        mut looked_at: Vec<String>,
    ) -> Result<Resource, CatalogueError> {
        let unit = if name.ends_with(".service") {
            name.to_owned()
        } else {
            format!("{name}.service")
        };
        // An instance has no file of its own but that of its template.
        let template = unit
            .split_once('@')
            .map(|(template, _)| format!("{template}@.service"));
        for file in [Some(unit.clone()), template].into_iter().flatten() {
            for path in self.units.iter().map(|directory| directory.join(&file)) {
                if path.is_file() {
                    let has_arguments = !arguments.is_empty();
                    return if has_arguments {
                        Err(CatalogueError::UnitWithArguments(unit))
                    } else {
                        Ok(Resource::Unit(unit))
                    };
                }
                // A masked unit is a link to /dev/null and there all the same.
                looked_at.push(problem(&path, if path.exists() { "is masked" } else { "" }));
            }
        }
        Err(CatalogueError::NotFound {
            name: name.to_owned(),
            looked_at,
        })
    }
}

/// Whether this is a script that can be run. What speaks against it is added to `looked_at`.
fn script(path: &Path, looked_at: &mut Vec<String>) -> bool {
    let complaint = match fs::metadata(path) {
        Err(_) => "",
        Ok(found) if !found.is_file() => "is not a regular file",
        Ok(found) if found.permissions().mode() & 0o111 == 0 => "is not executable",
        Ok(_) => return true,
    };
    looked_at.push(problem(path, complaint));
    false
}

fn problem(path: &Path, complaint: &str) -> String {
    if complaint.is_empty() {
        path.display().to_string()
    } else {
        format!("{} ({complaint})", path.display())
    }
}

fn is_translator(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok()
        && head
            .windows(TRANSLATOR_MARK.len())
            .any(|window| window == TRANSLATOR_MARK)
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { name, looked_at } => {
                write!(
                    f,
                    "Cannot locate resource script {name}: looked at {}",
                    looked_at.join(", ")
                )
            }
            Self::BadName(name) => write!(f, "{name:?} cannot be the name of a resource script"),
            Self::Ocf(text) => write!(
                f,
                "{text}: OCF agents cannot be called yet; put a script into resource.d or use a systemd unit"
            ),
            Self::UnitWithArguments(unit) => write!(
                f,
                "{unit} is a systemd unit and takes no arguments; write its name alone, or put a script into resource.d"
            ),
            Self::Address(error) => f.write_str(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree {
        root: tempfile::TempDir,
        places: Places,
    }

    fn tree(files: &[(&str, u32, &str)]) -> Tree {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        let places = Places {
            scripts: path("resource.d"),
            init_scripts: path("init.d"),
            units: vec![path("etc"), path("usr")],
        };
        for directory in ["resource.d", "init.d", "etc", "usr"] {
            fs::create_dir(path(directory)).expect("a directory");
        }
        for (name, mode, text) in files {
            fs::write(path(name), text).expect("a file");
            fs::set_permissions(path(name), fs::Permissions::from_mode(*mode)).expect("its mode");
        }
        Tree { root, places }
    }

    fn found(tree: &Tree, text: &str) -> String {
        let result = match tree.places.find(&ResourceWord::new(text)) {
            Ok(Resource::Address { agent, .. }) => format!("built-in {agent}"),
            Ok(resource) => resource.invocation(Action::Start).to_string(),
            Err(error) => error.to_string(),
        };
        result.replace(tree.root.path().to_str().expect("plain text"), "")
    }

    #[test]
    fn resource_d_wins_over_init_d_and_that_over_systemd() {
        let tree = tree(&[
            ("resource.d/a", 0o755, ""),
            ("init.d/a", 0o755, ""),
            ("usr/a.service", 0o644, ""),
            ("resource.d/b", 0o644, ""),
            ("init.d/b", 0o755, ""),
            ("usr/b.service", 0o644, ""),
            ("usr/nginx.service", 0o644, ""),
            ("etc/web@.service", 0o644, ""),
        ]);
        assert_eq!(found(&tree, "a::1::2"), "/resource.d/a 1 2 start");
        assert_eq!(found(&tree, "b"), "/init.d/b  start");
        assert_eq!(found(&tree, "nginx"), "systemctl start nginx.service");
        assert_eq!(
            found(&tree, "nginx.service"),
            "systemctl start nginx.service"
        );
        assert_eq!(found(&tree, "web@8080"), "systemctl start web@8080.service");
    }

    #[test]
    fn what_is_not_found_names_every_place() {
        let tree = tree(&[("resource.d/x", 0o644, "")]);
        std::os::unix::fs::symlink("/dev/null", tree.root.path().join("etc/x.service"))
            .expect("a link");
        assert_eq!(
            found(&tree, "x"),
            "Cannot locate resource script x: looked at /resource.d/x (is not executable), /init.d/x, \
             /etc/x.service (is masked), /usr/x.service"
        );
        assert!(found(&tree, "../resource.d/x").contains("cannot be the name"));
        assert!(found(&tree, "/bin/sh").contains("cannot be the name"));
        assert!(found(&tree, "").contains("cannot be the name"));
    }

    #[test]
    fn addresses_are_built_in_unless_somebody_wrote_his_own_script() {
        let packaged = "#!/bin/sh\n. /etc/ha.d/resource.d//hto-mapfuncs\nOCF_RESKEY_ip=$1\n";
        let tree = tree(&[
            ("resource.d/IPaddr", 0o755, packaged),
            (
                "resource.d/IPaddr2",
                0o755,
                "#!/bin/sh\nip addr add $1 dev eth0\n",
            ),
            ("resource.d/IPv6addr", 0o644, "#!/bin/sh\n"),
        ]);
        assert_eq!(found(&tree, "IPaddr::10.0.0.9"), "built-in IPaddr");
        assert_eq!(
            found(&tree, "IPaddr2::10.0.0.9"),
            "/resource.d/IPaddr2 10.0.0.9 start"
        );
        assert_eq!(found(&tree, "IPv6addr::fd00::9"), "built-in IPv6addr");
        assert_eq!(found(&tree, "IPaddr::x"), "not an IPv4 address");
    }

    #[test]
    fn ocf_agents_are_refused_unless_their_translator_is_there() {
        let without = tree(&[]);
        assert!(found(&without, "OCF::Dummy::x").contains("OCF agents cannot be called yet"));
        let with = tree(&[("resource.d/OCF", 0o755, "")]);
        assert_eq!(
            found(&with, "OCF::Dummy::x"),
            "/resource.d/OCF Dummy x start"
        );
    }

    #[test]
    fn a_unit_takes_no_arguments() {
        let tree = tree(&[("usr/nginx.service", 0o644, "")]);
        assert!(found(&tree, "nginx::x").contains("takes no arguments"));
    }
}
