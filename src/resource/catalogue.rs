//! From a word in `haresources` to what kind of resource it is.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::shorthand::{self, Shorthand};
use super::soundness::{self, Fault};
use super::{Action, Invocation, Standing, classic, ocf, systemd};
use crate::config::{AddressSpec, ResourceWord, parse_address};

pub use super::error::CatalogueError;

/// What the packages of heartbeat 2 and 3 put under those names: translators that source this file and then
/// call the OCF agent.
const TRANSLATOR_MARK: &[u8] = b"hto-mapfuncs";
/// What a script that keeps to the standard for those of `/etc/init.d` has near its beginning.
const LSB_MARK: &[u8] = b"### BEGIN INIT INFO";

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
        /// It lies in `/etc/init.d` and says that it keeps to the standard for scripts there.
        is_lsb: bool,
    },
    /// An OCF agent.
    Agent(ocf::Agent),
    /// A service of systemd.
    Unit(String),
}

impl Resource {
    /// What is run, or what the log says is run, and ended after `limit`.
    pub fn invocation(&self, action: Action, limit: Duration) -> Invocation {
        match self {
            Self::Address {
                script, arguments, ..
            } => classic::invocation(script, arguments, action),
            Self::Script {
                path, arguments, ..
            } => classic::invocation(path, arguments, action),
            Self::Agent(agent) => agent.invocation(action, limit),
            Self::Unit(name) => systemd::invocation(name, action),
        }
    }

    /// What the answer to `status` means that ended with this exit code: its standard output, and the last lines of all
    /// that it wrote.
    pub fn standing(&self, stdout: &[u8], last_lines: &[String], code: i32) -> Standing {
        match self {
            Self::Unit(_) => systemd::standing(stdout),
            Self::Agent(_) => ocf::standing(code),
            Self::Script { is_lsb, .. } => {
                let is_lsb = *is_lsb && !classic::is_usage(last_lines);
                classic::standing(stdout, code, is_lsb)
            }
            Self::Address { .. } => classic::standing(stdout, code, false),
        }
    }
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
    /// `/usr/lib/ocf`: OCF agents lie in `resource.d` of it, in a directory for each provider.
    pub agents: PathBuf,
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
            agents: PathBuf::from("/usr/lib/ocf"),
        }
    }

    /// What a word means.
    ///
    /// A script in `resource.d` wins: whoever wrote one means it. Only the translators that every installation of
    /// 3.0.6 has there (they source `hto-mapfuncs`) stand for what is built in, or for the OCF agent that they would
    /// call, as long as it is there. Then come built-in addresses, OCF agents by their full names, scripts in
    /// `/etc/init.d`, OCF agents by their [`shorthand`] and units of systemd.
    ///
    /// # Errors
    /// When there is nothing of that name, it can't be run, or its arguments can't be meant.
    pub fn find(&self, word: &ResourceWord) -> Result<Resource, CatalogueError> {
        let name = &word.name;
        let mut parts = Path::new(name).components();
        if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(CatalogueError::BadName(name.clone()));
        }
        let own = self.scripts.join(name);
        let mut looked_at = Vec::new();
        let is_there = is_script(&own, &mut looked_at);
        if is_there && !has_mark(&own, TRANSLATOR_MARK) {
            return self.script(&own, word);
        }
        if let Some(spec) = parse_address(word) {
            let spec = spec.map_err(|error| CatalogueError::Address(error.to_string()))?;
            return Ok(Resource::Address {
                spec,
                agent: name.clone(),
                script: own,
                arguments: word.arguments.clone(),
            });
        }
        if ocf::is_meant(&word.text) {
            return self.find_agent(word, looked_at);
        }
        let mut agents = Vec::new();
        let shorthand =
            shorthand::find(name).filter(|_| is_script(&self.agent(word).path(), &mut agents));
        if is_there {
            return match shorthand {
                Some(shorthand) => self.translate(shorthand, word),
                None => self.script(&own, word),
            };
        }
        if name == "OCF" {
            return Err(CatalogueError::OldOcf(word.text.clone()));
        }
        let init = self.init_scripts.join(name);
        if is_script(&init, &mut looked_at) {
            return self.script(&init, word);
        }
        if let Some(shorthand) = shorthand {
            return self.translate(shorthand, word);
        }
        looked_at.extend(agents);
        self.find_unit(name, &word.arguments, looked_at)
    }

    /// A script or an OCF agent by its path, for whoever wants to try one.
    ///
    /// # Errors
    /// When it can't be run, or its arguments can't be meant.
    pub fn at(&self, path: &Path, arguments: &[String]) -> Result<Resource, CatalogueError> {
        let agents = self.agents.join("resource.d");
        let name = path
            .strip_prefix(&agents)
            .ok()
            .and_then(Path::to_str)
            .and_then(|below| below.split_once('/'));
        let text = match name {
            Some((provider, name)) => format!("ocf:{provider}:{name}"),
            None => path.display().to_string(),
        };
        let words = [vec![text], arguments.to_vec()].concat().join("::");
        match name {
            Some(_) => self.find_agent(&ResourceWord::new(&words), Vec::new()),
            None => sound(path).map(|()| Resource::Script {
                path: path.to_path_buf(),
                arguments: arguments.to_vec(),
                is_lsb: self.is_lsb(path),
            }),
        }
    }

    fn script(&self, path: &Path, word: &ResourceWord) -> Result<Resource, CatalogueError> {
        sound(path).map(|()| Resource::Script {
            path: path.to_path_buf(),
            arguments: word.arguments.clone(),
            is_lsb: self.is_lsb(path),
        })
    }

    fn is_lsb(&self, path: &Path) -> bool {
        path.starts_with(&self.init_scripts) && has_mark(path, LSB_MARK)
    }

    fn find_agent(
        &self,
        word: &ResourceWord,
        mut looked_at: Vec<String>,
    ) -> Result<Resource, CatalogueError> {
        let text = &word.text;
        let agent = ocf::Agent::read(&self.agents, text).map_err(|mistake| {
            let text = text.clone();
            CatalogueError::Ocf { text, mistake }
        })?;
        let path = agent.path();
        if is_script(&path, &mut looked_at) {
            return sound(&path).map(|()| Resource::Agent(agent));
        }
        let name = format!("ocf:{}:{}", agent.provider, agent.name);
        Err(CatalogueError::NotFound { name, looked_at })
    }

    /// The agent that a shorthand means, without parameters.
    fn agent(&self, word: &ResourceWord) -> ocf::Agent {
        ocf::Agent::new(&self.agents, ocf::PROVIDER, &word.name)
    }

    fn translate(
        &self,
        shorthand: &Shorthand,
        word: &ResourceWord,
    ) -> Result<Resource, CatalogueError> {
        let Some(parameters) = shorthand.parameters(&word.arguments) else {
            return Err(CatalogueError::Arguments {
                text: word.text.clone(),
                usage: shorthand.usage,
            });
        };
        let agent = ocf::Agent {
            parameters,
            instance: ocf::instance(&word.name, &word.arguments),
            alias: Some((self.scripts.join(&word.name), word.arguments.clone())),
            ..self.agent(word)
        };
        sound(&agent.path()).map(|()| Resource::Agent(agent))
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

/// Whether there is a script that may be executed. What speaks against it is added to `looked_at`.
fn is_script(path: &Path, looked_at: &mut Vec<String>) -> bool {
    let complaint = match soundness::look(path) {
        Err(Fault::Missing) => String::new(),
        Err(fault @ (Fault::NotRegular | Fault::NotExecutable)) => fault.to_string(),
        _ => return true,
    };
    looked_at.push(problem(path, &complaint));
    false
}

/// One that is there and can't be run is the one that was meant all the same: nothing else is looked for.
fn sound(path: &Path) -> Result<(), CatalogueError> {
    soundness::look(path).map_err(|fault| {
        let path = path.to_path_buf();
        CatalogueError::Broken { path, fault }
    })
}

fn problem(path: &Path, complaint: &str) -> String {
    if complaint.is_empty() {
        path.display().to_string()
    } else {
        format!("{} ({complaint})", path.display())
    }
}

fn has_mark(path: &Path, mark: &[u8]) -> bool {
    soundness::head(path).is_ok_and(|head| head.windows(mark.len()).any(|window| window == mark))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const AGENTS: &str = "ocf/resource.d/heartbeat";
    const SCRIPT: &str = "#!/bin/sh\n";
    /// As the package of 3.0.6 has them.
    const TRANSLATOR: &str = "#!/bin/sh\n. /etc/ha.d/resource.d//hto-mapfuncs\nOCF_RESKEY_ip=$1\n";

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
            agents: path("ocf"),
        };
        for directory in [
            "resource.d",
            "init.d",
            "etc",
            "usr",
            AGENTS,
            "ocf/resource.d/own",
        ] {
            fs::create_dir_all(path(directory)).expect("a directory");
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
            Ok(resource) => {
                let limit = Duration::from_secs(20);
                let invocation = resource.invocation(Action::Start, limit);
                let told = invocation.to_string();
                match resource {
                    Resource::Agent(_) => format!("{told}: {}", invocation.program.display()),
                    _ => told,
                }
            }
            Err(error) => error.to_string(),
        };
        result.replace(tree.root.path().to_str().expect("plain text"), "")
    }

    #[test]
    fn resource_d_wins_over_init_d_and_that_over_systemd() {
        let tree = tree(&[
            ("resource.d/a", 0o755, SCRIPT),
            ("init.d/a", 0o755, SCRIPT),
            ("usr/a.service", 0o644, ""),
            ("resource.d/b", 0o644, SCRIPT),
            ("init.d/b", 0o755, SCRIPT),
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
        let tree = tree(&[
            ("resource.d/IPaddr", 0o755, TRANSLATOR),
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
    fn ocf_agents_are_found_below_their_provider() {
        let tree = tree(&[
            ("ocf/resource.d/heartbeat/Dummy", 0o755, SCRIPT),
            ("ocf/resource.d/own/disk", 0o755, SCRIPT),
            ("ocf/resource.d/own/locked", 0o644, SCRIPT),
            ("ocf/resource.d/own/broken", 0o755, "#!/bin/no-shell\n"),
        ]);
        for (word, expected) in [
            (
                "ocf:heartbeat:Dummy::fake=a",
                "/ocf/resource.d/heartbeat/Dummy fake=a start: /ocf/resource.d/heartbeat/Dummy",
            ),
            (
                "ocf::own::disk",
                "/ocf/resource.d/own/disk  start: /ocf/resource.d/own/disk",
            ),
            (
                "ocf:own:nothing",
                "Cannot locate resource script ocf:own:nothing: looked at /resource.d/ocf:own:nothing, \
                 /ocf/resource.d/own/nothing",
            ),
            (
                "ocf:own:locked",
                "Cannot locate resource script ocf:own:locked: looked at /resource.d/ocf:own:locked, \
                 /ocf/resource.d/own/locked (is not executable)",
            ),
            (
                "ocf:own:broken",
                "/ocf/resource.d/own/broken names the interpreter `/bin/no-shell`, which can't be run here: install \
                 it, or change the first line of /ocf/resource.d/own/broken",
            ),
            (
                "ocf:own:disk::x",
                "ocf:own:disk::x: `x` is no parameter: write NAME=VALUE; an agent is written \
                 ocf:PROVIDER:AGENT::NAME=VALUE...",
            ),
        ] {
            assert_eq!(found(&tree, word), expected, "{word}");
        }
    }

    #[test]
    fn the_old_form_of_ocf_agents_needs_its_translator() {
        let without = tree(&[]);
        assert!(found(&without, "OCF::Dummy::x").contains("needs the script OCF"));
        let with = tree(&[("resource.d/OCF", 0o755, SCRIPT)]);
        assert_eq!(
            found(&with, "OCF::Dummy::x"),
            "/resource.d/OCF Dummy x start"
        );
    }

    #[test]
    fn a_shorthand_means_its_agent_unless_somebody_wrote_his_own_script() {
        let own = "/resource.d/Delay 5 start";
        let agent = "/resource.d/Delay 5 start: /ocf/resource.d/heartbeat/Delay";
        let init = "/init.d/Delay 5 start";
        let here = &("ocf/resource.d/heartbeat/Delay", 0o755, SCRIPT);
        let script = &("resource.d/Delay", 0o755, SCRIPT);
        let translator = &("resource.d/Delay", 0o755, TRANSLATOR);
        let locked = &("resource.d/Delay", 0o644, SCRIPT);
        let initial = &("init.d/Delay", 0o755, SCRIPT);
        let unit = &("usr/Delay.service", 0o644, "");
        for (files, expected) in [
            (&[here][..], agent),
            (&[here, unit], agent),
            (&[here, script], own),
            (&[here, translator], agent),
            (&[here, translator, initial], agent),
            (&[here, locked], agent),
            (&[here, initial], init),
            (&[translator], own),
            (&[translator, initial], own),
            (&[script, initial], own),
            (
                &[],
                "Cannot locate resource script Delay: looked at /resource.d/Delay, /init.d/Delay, \
                 /ocf/resource.d/heartbeat/Delay, /etc/Delay.service, /usr/Delay.service",
            ),
        ] {
            let files: Vec<_> = files.iter().map(|file| **file).collect();
            assert_eq!(found(&tree(&files), "Delay::5"), expected, "{files:?}");
        }
        let tree = tree(&[*here]);
        assert_eq!(
            found(&tree, "Delay::5::6::7"),
            "Delay::5::6::7 has too few or too many arguments: write \
             Delay[::SECONDS_TO_START[::SECONDS_TO_STOP]]"
        );
    }

    #[test]
    fn a_script_that_cannot_be_run_is_the_one_that_was_meant() {
        let tree = tree(&[
            ("resource.d/a", 0o755, "#!/bin/sh\r\n"),
            ("init.d/a", 0o755, SCRIPT),
            ("init.d/b", 0o755, ""),
            ("usr/b.service", 0o644, ""),
        ]);
        assert_eq!(
            found(&tree, "a"),
            "/resource.d/a has the line ends of Windows, with which its interpreter is not found: \
             sed -i 's/\\r$//' /resource.d/a"
        );
        assert_eq!(
            found(&tree, "b"),
            "/init.d/b is empty: put a script at /init.d/b"
        );
    }

    #[test]
    fn only_scripts_of_init_d_that_say_so_keep_to_the_standard() {
        let standard = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: a\n";
        let tree = tree(&[
            ("resource.d/a", 0o755, standard),
            ("init.d/b", 0o755, standard),
            ("init.d/c", 0o755, SCRIPT),
        ]);
        for (name, expected) in [("a", false), ("b", true), ("c", false)] {
            let found = tree.places.find(&ResourceWord::new(name));
            let is_lsb = matches!(found, Ok(Resource::Script { is_lsb: true, .. }));
            assert_eq!(is_lsb, expected, "{name}");
        }
    }

    #[test]
    fn scripts_and_agents_are_found_by_their_paths() {
        let tree = tree(&[
            ("ocf/resource.d/own/disk", 0o755, SCRIPT),
            ("init.d/a", 0o644, SCRIPT),
            ("init.d/b", 0o755, SCRIPT),
        ]);
        let at = |path: &str, arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
            let found = tree.places.at(&tree.root.path().join(path), &arguments);
            match found {
                Ok(Resource::Agent(agent)) => format!("{} {:?}", agent.name, agent.parameters),
                Ok(Resource::Script { arguments, .. }) => format!("script {arguments:?}"),
                Ok(other) => format!("{other:?}"),
                Err(error) => error
                    .to_string()
                    .replace(tree.root.path().to_str().expect("text"), ""),
            }
        };
        assert_eq!(
            at("ocf/resource.d/own/disk", &["a=b"]),
            "disk [(\"a\", \"b\")]"
        );
        assert_eq!(at("init.d/b", &["x"]), "script [\"x\"]");
        assert_eq!(
            at("init.d/a", &[]),
            "/init.d/a is not executable: chmod 755 /init.d/a"
        );
        assert_eq!(at("none", &[]), "/none does not exist: put it at /none");
    }

    #[test]
    fn a_unit_takes_no_arguments() {
        let tree = tree(&[("usr/nginx.service", 0o644, "")]);
        assert!(found(&tree, "nginx::x").contains("takes no arguments"));
    }
}
