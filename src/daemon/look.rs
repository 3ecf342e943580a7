//! What the configuration names, looked for on this machine: for `heartbeat check`, which opens and changes nothing,
//! and for a start.

mod device;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::media::{port_users, serial_open};
use super::{serial_budget, watchdog};
use crate::config::{
    Absence, AlertWay, Medium, MediumKind, PingNode, ResourceWord, Subject, parse_address,
};
use crate::os::account::Account;
use crate::os::interface;
use crate::resource::catalogue::{CatalogueError, Places, Resource};
use crate::resource::soundness::{self, Format};

/// What a link is without its port or interface.
const DOWN: &str = "its link is down until this is mended; a start needs one that works";

/// Looks for one thing; resources where `places` says.
pub fn look(places: &Places, subject: Subject<'_>) -> Option<Absence> {
    match subject {
        Subject::Medium(medium) => medium_absence(medium),
        Subject::Ping(node) => ping_absence(node),
        Subject::Watchdog {
            watchdog: wanted,
            keepalive,
            deadtime,
        } => watchdog::absence(&watchdog::Places::here(), wanted, keepalive, deadtime),
        Subject::Resource(word) => match places.find(word) {
            Ok(Resource::Address { .. }) => address_absence(word),
            Ok(Resource::Script { path, .. }) => script_oddity(&path),
            Ok(Resource::Agent(agent)) => script_oddity(&agent.path()),
            Ok(Resource::Unit(_)) => None,
            Err(error) => Some(resource_absence(word, error)),
        },
        Subject::User(_)
        | Subject::Program(_)
        | Subject::FailbackCommand(_)
        | Subject::Textfile(_)
        | Subject::Alert(_)
        | Subject::FenceDevice(_)
        | Subject::SerialLines(_)
        | Subject::SerialLinesOfOld(_) => look_for_programs(subject),
        // What the files name is there; what may go wrong all the same is looked for in `hazards`.
        Subject::Links(_)
        | Subject::Kinds(_)
        | Subject::Way { .. }
        | Subject::Port(_)
        | Subject::Filter(_)
        | Subject::Start(_)
        | Subject::Status(_)
        | Subject::Trust(_)
        | Subject::Network(_)
        | Subject::Holder(_)
        | Subject::Manager(_)
        | Subject::File(_) => None,
    }
}

/// Looks for what `ha.cf` names to be run: the users and programs of `respawn` and `failfast` and the programs of fencing
/// devices, without which a daemon does not start, and the command of `auto_failback`; and says when the serial lines are
/// too slow. May ask the network for users: not
/// for the event loop.
pub fn look_for_programs(subject: Subject<'_>) -> Option<Absence> {
    match subject {
        Subject::User(name) => user_absence(name),
        Subject::Program(path) => program_absence(path),
        Subject::FailbackCommand(path) => command_absence(path),
        Subject::Textfile(path) => textfile_absence(path),
        Subject::Alert(way) => alert_absence(way),
        Subject::FenceDevice(kind) => device::absence(kind, Path::new("/")),
        Subject::SerialLines(_) | Subject::SerialLinesOfOld(_) => serial_budget::look(subject),
        _ => None,
    }
}

fn user_absence(name: &str) -> Option<Absence> {
    let (message, help) = match Account::find(name) {
        Ok(Some(_)) => return None,
        Ok(None) => (
            format!("no user `{name}` on this machine"),
            format!("make it with `useradd --system {name}`, or name another user"),
        ),
        Err(error) => (
            format!("cannot look for user `{name}`: {error}"),
            "see nsswitch.conf(5)".into(),
        ),
    };
    Some(Absence {
        message,
        label: "the program can't be started as this user".into(),
        help,
    })
}

fn program_absence(path: &Path) -> Option<Absence> {
    let shown = path.display();
    let (message, help) = match std::fs::metadata(path) {
        Err(error) => (
            format!("no program `{shown}`: {error}"),
            "install it, correct its path, or remove the line",
        ),
        Ok(found) if !found.is_file() => (
            format!("`{shown}` is no program"),
            "name the file of a program, or remove the line",
        ),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => (
            format!("`{shown}` is not executable"),
            "make it so with chmod(1), or remove the line",
        ),
        Ok(_) => return None,
    };
    Some(Absence {
        message,
        label: "heartbeat does not start without it".into(),
        help: help.into(),
    })
}

fn command_absence(path: &Path) -> Option<Absence> {
    let fault = soundness::look(path).err()?;
    Some(Absence {
        message: format!("{} {fault}", path.display()),
        label: "it can't be asked here: what runs here does not return by itself".into(),
        help: fault.remedy(path),
    })
}

fn textfile_absence(path: &Path) -> Option<Absence> {
    let directory = path.parent().filter(|directory| !directory.is_dir())?;
    Some(Absence {
        message: format!("no directory `{}`", directory.display()),
        label: "metrics can't be written there".into(),
        help: "make it, or name the directory that node_exporter reads (--collector.textfile.directory)"
            .into(),
    })
}

fn alert_absence(way: &AlertWay) -> Option<Absence> {
    let program = way.program();
    let fault = soundness::look(program).err()?;
    let help = match way {
        AlertWay::Mail { .. } => {
            "install a mail transfer agent that brings sendmail, such as postfix, exim4 or msmtp-mta".into()
        }
        AlertWay::Webhook { .. } => "install curl".into(),
        AlertWay::Command { .. } => fault.remedy(program),
    };
    Some(Absence {
        message: format!("{} {fault}", program.display()),
        label: "no alert can be sent this way".into(),
        help,
    })
}

fn medium_absence(medium: &Medium) -> Option<Absence> {
    let (message, help) = match &medium.kind {
        MediumKind::Serial { device, .. } => port_absence(medium, device)?,
        _ => (no_interface(&medium.link)?, String::new()),
    };
    Some(Absence {
        message,
        label: DOWN.into(),
        help,
    })
}

/// What is wrong with a port, and what mends that.
fn port_absence(medium: &Medium, device: &Path) -> Option<(String, String)> {
    if let Err(error) = serial_open::find(device) {
        return Some((error.to_string(), String::new()));
    }
    let real = port_users::shared(&medium.kind)?;
    // Where heartbeat has it, this is the configuration of a daemon that runs.
    let obstacle = port_users::obstacle(&real).filter(|found| !found.is_heartbeat())?;
    let message = format!("{} is not free: {}", device.display(), obstacle.what());
    Some((message, obstacle.remedy()))
}

fn no_interface(name: &str) -> Option<String> {
    let is_missing = interface::index(name).is_err();
    is_missing.then(|| format!("no interface `{name}` on this machine"))
}

/// What is wrong with a ping node is that it is no other machine. Names are not looked up: that may take long.
fn ping_absence(node: &PingNode) -> Option<Absence> {
    let own = interface::addresses().unwrap_or_default();
    let is_own = |host: &String| {
        let address = host.parse::<std::net::IpAddr>();
        address.is_ok_and(|address| own.iter().any(|entry| entry.address == address))
    };
    node.hosts.iter().any(is_own).then(|| Absence {
        message: format!(
            "ping node `{}` is an address of this machine now",
            node.name
        ),
        label: "it tells nothing about the network and is not counted; name a router instead"
            .into(),
        help: String::new(),
    })
}

fn address_absence(word: &ResourceWord) -> Option<Absence> {
    let name = parse_address(word)?.ok()?.interface?;
    Some(Absence {
        message: no_interface(&name)?,
        label: "the address can't be held here".into(),
        help: String::new(),
    })
}

/// What is odd about a script that is there and may be run.
fn script_oddity(path: &Path) -> Option<Absence> {
    let shown = path.display();
    match soundness::head(path) {
        Err(error) => Some(Absence {
            message: format!("cannot read {shown}: {error}"),
            label: "so nothing can be told about it".into(),
            help: "run this check as root, as heartbeat runs the script".into(),
        }),
        Ok(head) if soundness::format(&head) == Format::Unmarked => Some(Absence {
            message: format!("{shown} does not begin with `#!`"),
            label: "`/bin/sh` will run it".into(),
            help: "write `#!/bin/sh`, or the interpreter that is meant, into its first line".into(),
        }),
        Ok(_) => None,
    }
}

/// What is missing of a resource that is not found.
pub fn resource_absence(word: &ResourceWord, error: CatalogueError) -> Absence {
    let (message, help) = match error {
        CatalogueError::NotFound { name, looked_at } => (
            format!("no script, OCF agent or unit called `{name}` on this machine"),
            format!("looked at {}", looked_at.join(", ")),
        ),
        CatalogueError::Broken { path, fault } => {
            (format!("{} {fault}", path.display()), fault.remedy(&path))
        }
        error => (format!("cannot use `{}`", word.text), error.to_string()),
    };
    Absence {
        message,
        label: "its group can't be started here".into(),
        help,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::config::{SerialFlow, Watchdog, WatchdogDevice, WatchdogPolicy};

    fn serial(link: &str, device: PathBuf) -> Medium {
        let (baud, flow) = (9600, SerialFlow::Auto);
        medium(link, MediumKind::Serial { device, baud, flow })
    }

    fn places(root: &Path) -> Places {
        Places {
            scripts: root.join("resource.d"),
            init_scripts: root.join("init.d"),
            units: vec![root.join("units")],
            agents: root.join("ocf"),
        }
    }

    fn medium(link: &str, kind: MediumKind) -> Medium {
        let link = link.into();
        Medium { link, kind }
    }

    fn message(subject: Subject<'_>) -> Option<String> {
        look(&places(Path::new("/nowhere")), subject).map(|absence| absence.message)
    }

    #[test]
    fn ports_and_interfaces_that_are_there_are_not_mentioned() {
        let interface = medium("lo", MediumKind::Bcast { port: 694 });
        assert_eq!(message(Subject::Medium(&interface)), None);
        let device = PathBuf::from("/dev/null");
        let serial = serial("/dev/null", device);
        assert_eq!(message(Subject::Medium(&serial)), None);
    }

    #[test]
    fn a_ping_node_must_be_another_machine() {
        let node = |hosts: &[&str]| PingNode {
            name: "router".into(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            v6: false,
            is_group: true,
            counts: true,
        };
        assert_eq!(
            message(Subject::Ping(&node(&["192.0.2.1", "router"]))),
            None
        );
        assert_eq!(
            message(Subject::Ping(&node(&["192.0.2.1", "127.0.0.1"]))).as_deref(),
            Some("ping node `router` is an address of this machine now")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let interface = medium("no-such-if", MediumKind::Bcast { port: 694 });
        let said = message(Subject::Medium(&interface)).expect("missing");
        assert!(said.starts_with("no interface `no-such-if`"), "{said}");
        let device = PathBuf::from("/dev/no-such-port");
        let subject = Subject::Watchdog {
            watchdog: &Watchdog {
                device: WatchdogDevice::Path(device.clone()),
                policy: WatchdogPolicy::Required,
            },
            keepalive: Duration::from_secs(1),
            deadtime: Duration::from_secs(30),
        };
        let said = message(subject).expect("missing");
        assert!(
            said.starts_with("no watchdog `/dev/no-such-port`"),
            "{said}"
        );
        let serial = serial("x", device);
        let said = message(Subject::Medium(&serial)).expect("missing");
        assert!(said.starts_with("cannot open /dev/no-such-port"), "{said}");
        let address = ResourceWord::new("10.0.0.9/24/no-such-if:0");
        let said = message(Subject::Resource(&address)).expect("missing");
        assert!(said.starts_with("no interface `no-such-if`"), "{said}");
    }

    #[test]
    fn a_command_that_cannot_be_asked_is_named_with_its_remedy() {
        let missing = Path::new("/usr/local/sbin/no-such-command");
        let absence = look_for_programs(Subject::FailbackCommand(missing)).expect("missing");
        assert_eq!(
            (absence.message.as_str(), absence.help.as_str()),
            (
                "/usr/local/sbin/no-such-command does not exist",
                "put it at /usr/local/sbin/no-such-command"
            )
        );
        assert_eq!(
            message(Subject::FailbackCommand(Path::new("/bin/sh"))),
            None
        );
    }

    #[test]
    fn what_alerts_and_metrics_need_is_named_with_its_remedy() {
        let command = |program: &str| AlertWay::Command {
            program: program.into(),
            line: program.into(),
        };
        assert_eq!(message(Subject::Alert(&command("/bin/sh"))), None);
        let absence = look_for_programs(Subject::Alert(&command("/no/such"))).expect("missing");
        assert_eq!(absence.message, "/no/such does not exist");
        assert_eq!(absence.label, "no alert can be sent this way");
        let file = Path::new("/no/such/heartbeat.prom");
        let absence = look_for_programs(Subject::Textfile(file)).expect("missing");
        assert_eq!(absence.message, "no directory `/no/such`");
        assert_eq!(message(Subject::Textfile(Path::new("/tmp/x.prom"))), None);
    }

    #[test]
    fn a_resource_without_a_program_is_named_with_every_place() {
        let root = tempfile::tempdir().expect("a directory");
        let look = |text: &str| {
            look(
                &places(root.path()),
                Subject::Resource(&ResourceWord::new(text)),
            )
        };
        assert_eq!(look("10.0.0.9"), None);
        let absence = look("nginx").expect("missing");
        assert_eq!(
            absence.message,
            "no script, OCF agent or unit called `nginx` on this machine"
        );
        for place in ["resource.d/nginx", "init.d/nginx", "units/nginx.service"] {
            assert!(absence.help.contains(place), "{absence:?}");
        }
        std::fs::create_dir(root.path().join("units")).expect("a directory");
        std::fs::write(root.path().join("units/nginx.service"), "").expect("a unit");
        assert_eq!(look("nginx"), None);
        let absence = look("nginx::8080").expect("not usable");
        assert_eq!(absence.message, "cannot use `nginx::8080`");
    }

    #[test]
    fn a_script_that_is_there_and_odd_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("resource.d")).expect("a directory");
        let path = root.path().join("resource.d/disk");
        let look = |text: &str, mode: u32| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(&path, text).expect("a file");
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).expect("its mode");
            let word = ResourceWord::new("disk");
            let absence = look(&places(root.path()), Subject::Resource(&word));
            absence.map(|absence| {
                let text = format!("{} | {}", absence.message, absence.help);
                text.replace(root.path().to_str().expect("plain text"), "")
            })
        };
        for (text, mode, expected) in [
            ("#!/bin/sh\n", 0o755, None),
            (
                "echo\n",
                0o755,
                Some(
                    "/resource.d/disk does not begin with `#!` | write `#!/bin/sh`, or the interpreter that is meant, \
                     into its first line",
                ),
            ),
            (
                "#!/bin/sh\r\n",
                0o755,
                Some(
                    "/resource.d/disk has the line ends of Windows, with which its interpreter is not found | \
                     sed -i 's/\\r$//' /resource.d/disk",
                ),
            ),
            (
                "#!/no/perl\n",
                0o755,
                Some(
                    "/resource.d/disk names the interpreter `/no/perl`, which can't be run here | install it, or \
                     change the first line of /resource.d/disk",
                ),
            ),
        ] {
            assert_eq!(look(text, mode).as_deref(), expected, "{text:?}");
        }
        let absence = look("#!/bin/sh\n", 0o644).expect("missing");
        assert!(
            absence.contains("/resource.d/disk (is not executable)"),
            "{absence}"
        );
    }
}
