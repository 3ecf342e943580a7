//! OCF agents: ours in a directory put over the real one, and those of the package resource-agents.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::bench::{Bench, Directory, logged, now};
use crate::namespace::{in_namespace, put_over, skip};
use heartbeat::cluster::{GroupId, GroupOutcome};
use heartbeat::daemon::resources::Limits;
use heartbeat::resource::shorthand;

/// Keeps its state in a file, its calls in the journal, and advises times.
const WELL_BEHAVED: &str = r#"
state=$journal.$OCF_RESOURCE_INSTANCE
[ $1 = meta-data ] || note $OCF_RESOURCE_INSTANCE $1
case $1 in
    meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="disk"><parameters>
<parameter name="device" required="1"></parameter><parameter name="mode"></parameter>
</parameters><actions>
<action name="start" timeout="7s"/><action name="stop" timeout="300s"/><action name="monitor" timeout="40"/>
</actions></resource-agent>
END
    ;;
    start) touch $state;;
    stop) rm -f $state;;
    monitor) [ -e $state ] || exit 7;;
    *) exit 3;;
esac"#;

impl Directory {
    /// An agent of the provider `own`.
    fn agent(self, name: &str, body: &str) -> Self {
        self.agent_of("own", name, body)
    }

    fn agent_of(self, provider: &str, name: &str, body: &str) -> Self {
        let folder = self.path("ocf/resource.d").join(provider);
        fs::create_dir_all(&folder).expect("a directory");
        let text = format!(
            "#!/bin/sh\njournal={}\nnote() {{ echo \"$*\" >> $journal; }}\n{body}\n",
            self.path("journal").display()
        );
        let path = folder.join(name);
        fs::write(&path, text).expect("an agent");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        self
    }

    /// Puts the agents where the daemon looks for them; in this namespace only.
    fn put_agents_in_place(&self) -> bool {
        let root = Path::new("/usr/lib/ocf");
        if !root.exists() {
            skip("there is no /usr/lib/ocf to put our agents over");
            return false;
        }
        put_over(&self.path("ocf"), "/usr/lib/ocf");
        true
    }
}

#[test]
fn an_agent_is_judged_by_its_exit_codes() {
    in_namespace("agents::an_agent_is_judged_by_its_exit_codes", || {
        let directory = Directory::new()
            .agent("disk", WELL_BEHAVED)
            .group("ocf:own:disk::device=/dev/a ocf::own:disk::device=/dev/b");
        if !directory.put_agents_in_place() {
            return;
        }
        let mut bench = Bench::new(&directory);
        assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
        assert_eq!(bench.start(0), GroupOutcome::Started);
        assert_eq!(bench.probe(0), GroupOutcome::FoundRunning);
        assert_eq!(bench.stop(0), GroupOutcome::Stopped);
        let (a, b) = ("disk_device-3D-2Fdev-2Fa", "disk_device-3D-2Fdev-2Fb");
        assert_eq!(
            directory.journal(),
            format!(
                "{a} monitor, {b} monitor, {a} monitor, {a} start, {b} monitor, {b} start, \
                 {a} monitor, {b} stop, {a} stop"
            )
        );
        let told = "Running /usr/lib/ocf/resource.d/own/disk device=/dev/a start";
        assert_eq!(logged(told).len(), 1);
    });
}

#[test]
fn an_agent_finds_its_parameters_and_little_else() {
    in_namespace(
        "agents::an_agent_finds_its_parameters_and_little_else",
        || {
            let body = r"[ $1 = meta-data ] || env | grep -E '^(OCF_|HA_D|PATH|LC_)' | LC_ALL=C sort > $journal.$1; exit 7";
            let directory = Directory::new()
                .agent("disk", body)
                .group("ocf:own:disk::device=/dev/a::mode=rw,x=y");
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            bench.probe(0);
            let seen = fs::read_to_string(directory.path("journal.monitor")).expect("called");
            let root = directory.path("");
            let root = root.to_str().expect("plain text").trim_end_matches('/');
            assert_eq!(
                seen.replace(root, "/etc/ha.d"),
                "HA_DATEFMT=%Y/%m/%d_%T\t\n\
             HA_DEBUGLOG=\n\
             HA_DIR=/etc/ha.d/\n\
             LC_ALL=C\n\
             OCF_RA_VERSION_MAJOR=1\n\
             OCF_RA_VERSION_MINOR=0\n\
             OCF_RESKEY_CRM_meta_interval=0\n\
             OCF_RESKEY_CRM_meta_timeout=20000\n\
             OCF_RESKEY_device=/dev/a\n\
             OCF_RESKEY_mode=rw,x=y\n\
             OCF_RESOURCE_INSTANCE=disk_device-3D-2Fdev-2Fa--mode-3Drw-2Cx-3Dy\n\
             OCF_RESOURCE_PROVIDER=own\n\
             OCF_RESOURCE_TYPE=disk\n\
             OCF_ROOT=/usr/lib/ocf\n\
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
            );
        },
    );
}

#[test]
fn a_failed_monitor_is_no_proof_that_anything_is_stopped() {
    in_namespace(
        "agents::a_failed_monitor_is_no_proof_that_anything_is_stopped",
        || {
            let codes = |monitor: u8| {
                format!("case $1 in meta-data) ;; monitor) exit {monitor};; *) exit 1;; esac")
            };
            let mut directory = Directory::new().setting("env STOPRETRYMAX=1");
            let cases = [
                (0, GroupOutcome::FoundRunning, GroupOutcome::StopFailed),
                (8, GroupOutcome::FoundRunning, GroupOutcome::StopFailed),
                (7, GroupOutcome::FoundStopped, GroupOutcome::Stopped),
                (5, GroupOutcome::FoundStopped, GroupOutcome::StopFailed),
                (1, GroupOutcome::FoundRunning, GroupOutcome::StopFailed),
                (6, GroupOutcome::FoundRunning, GroupOutcome::StopFailed),
            ];
            for (code, ..) in cases {
                directory = directory
                    .agent(&format!("code{code}"), &codes(code))
                    .group(&format!("ocf:own:code{code}"));
            }
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            for ((code, found, stopped), group) in cases.into_iter().zip(0..) {
                assert_eq!(bench.probe(group), found, "{code}");
                assert_eq!(bench.stop(group), stopped, "{code}");
            }
            assert_eq!(
                logged("stop of ocf:own:code1: exit code 1 (generic error) after").len(),
                2
            );
        },
    );
}

#[test]
fn a_machine_without_the_programs_of_an_agent_lets_the_other_one_start_the_group() {
    in_namespace(
        "agents::a_machine_without_the_programs_of_an_agent_lets_the_other_one_start_the_group",
        || {
            let directory = Directory::new()
                .agent("disk", WELL_BEHAVED)
                .agent("bare", "[ $1 = meta-data ] || note bare $1; exit 5")
                .group("ocf:own:disk ocf:own:bare");
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
            assert_eq!(
                bench.start(0),
                GroupOutcome::StartFailed,
                "and not: does not stop"
            );
            assert_eq!(
                directory.journal(),
                "disk monitor, bare monitor, disk monitor, disk start, bare monitor, bare start, disk stop"
            );
        },
    );
}

#[test]
fn an_agent_may_take_as_long_as_it_advises_and_at_least_as_long_as_others() {
    in_namespace(
        "agents::an_agent_may_take_as_long_as_it_advises_and_at_least_as_long_as_others",
        || {
            let body = format!(
                "[ $1 = meta-data ] || note $1 $OCF_RESKEY_CRM_meta_timeout\n{}",
                WELL_BEHAVED.replace("note $OCF_RESOURCE_INSTANCE", "true")
            );
            let directory = Directory::new()
                .agent("disk", &body)
                .setting("timeout ocf:own:disk::device=/dev/b start 2")
                .setting("timeout ocf:own:disk status 3")
                .group("ocf:own:disk::device=/dev/a")
                .group("ocf:own:disk::device=/dev/b");
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            for group in [0, 1] {
                assert_eq!(bench.start(group), GroupOutcome::Started);
                assert_eq!(bench.stop(group), GroupOutcome::Stopped);
            }
            assert_eq!(
                directory.journal(),
                "monitor 3000, start 120000, stop 300000, monitor 3000, start 2000, stop 300000"
            );
        },
    );
}

#[test]
fn meta_data_that_hang_or_say_nothing_hold_nobody_up_for_long() {
    in_namespace(
        "agents::meta_data_that_hang_or_say_nothing_hold_nobody_up_for_long",
        || {
            let hanging =
                "[ $1 = meta-data ] && exec sleep 1000; [ $1 = monitor ] && exit 7; exit 0";
            let silent = "note $1; [ $1 = monitor ] && exit 7; exit 0";
            let directory = Directory::new()
                .agent("hanging", hanging)
                .agent("silent", silent)
                .group("ocf:own:hanging")
                .group("ocf:own:silent");
            if !directory.put_agents_in_place() {
                return;
            }
            let limits = Limits {
                status: Duration::from_secs(3), // in which the silent one answers on a busy machine, too
                ..Limits::default()
            };
            let mut bench = Bench::with_limits(&directory, limits);
            let begin = now();
            assert_eq!(bench.start(1), GroupOutcome::Started);
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert!(now().since(begin) < Duration::from_secs(30));
            assert_eq!(logged("silent meta-data tells nothing").len(), 1);
            assert_eq!(logged("hanging meta-data tells nothing").len(), 1);
            assert_eq!(directory.journal(), "meta-data, monitor, start");
        },
    );
}

#[test]
fn a_stop_overtakes_a_start_that_waits_for_meta_data() {
    in_namespace(
        "agents::a_stop_overtakes_a_start_that_waits_for_meta_data",
        || {
            // The pipe lets the agent answer only when the stop has been asked for.
            let body = "[ $1 = meta-data ] && read -r line < $journal.pipe; note $1; [ $1 = monitor ] && exit 7; exit 0";
            let directory = Directory::new().agent("slow", body).group("ocf:own:slow");
            if !directory.put_agents_in_place() {
                return;
            }
            let pipe = directory.path("journal.pipe");
            nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
            let mut bench = Bench::new(&directory);
            bench.resources.start(GroupId(0));
            bench.resources.turn(now());
            bench.resources.stop(GroupId(0));
            let answering = std::thread::spawn(move || fs::write(pipe, "go on\n"));
            assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
            answering.join().expect("ended").expect("written");
            assert_eq!(directory.journal(), "meta-data, monitor, stop");
        },
    );
}

#[test]
fn parameters_that_the_agent_does_not_have_are_told_once() {
    in_namespace(
        "agents::parameters_that_the_agent_does_not_have_are_told_once",
        || {
            let directory = Directory::new()
                .agent("disk", WELL_BEHAVED)
                .group("ocf:own:disk::devise=/dev/a");
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            bench.start(0);
            bench.stop(0);
            let told = "ocf:own:disk::devise=/dev/a: the agent ";
            assert_eq!(
                logged(told),
                [
                    format!("ResourceManager(default) WARN {told}has no parameter `devise`"),
                    format!(
                        "ResourceManager(default) WARN {told}says that it needs the parameter `device`"
                    ),
                ]
            );
        },
    );
}

#[test]
fn a_translator_of_3_0_6_stands_for_the_agent_and_ones_own_script_for_itself() {
    in_namespace(
        "agents::a_translator_of_3_0_6_stands_for_the_agent_and_ones_own_script_for_itself",
        || {
            let agent = "[ $1 = meta-data ] || note agent $OCF_RESOURCE_TYPE $1 $OCF_RESKEY_ipaddress \
                         $OCF_RESKEY_email; [ $1 = monitor ] && exit 7; exit 0";
            let directory = Directory::new()
                .agent_of("heartbeat", "IPsrcaddr", agent)
                .agent_of("heartbeat", "MailTo", agent)
                .script(
                    "IPsrcaddr",
                    ". /etc/ha.d/resource.d//hto-mapfuncs\nnote translator $*",
                )
                .script("MailTo", "note own $*")
                .group("IPsrcaddr::10.0.0.9 MailTo::root");
            if !directory.put_agents_in_place() {
                return;
            }
            let mut bench = Bench::new(&directory);
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert_eq!(
                directory.journal(),
                "agent IPsrcaddr monitor 10.0.0.9, agent IPsrcaddr start 10.0.0.9, \
                 own root status, own root start"
            );
            let scripts = directory.path("resource.d");
            let told = format!("Running {}/IPsrcaddr 10.0.0.9 start", scripts.display());
            assert_eq!(logged(&told).len(), 1, "the line that people know");
        },
    );
}

#[test]
fn the_directory_that_agents_rely_on_is_there_after_a_boot() {
    const NAME: &str = "agents::the_directory_that_agents_rely_on_is_there_after_a_boot";
    in_namespace(NAME, || {
        if !Path::new("/usr/lib/ocf/resource.d/heartbeat/Dummy").exists() {
            return skip("the package resource-agents is not installed");
        }
        let directory = Directory::new().group("ocf:heartbeat:Dummy");
        fs::create_dir(directory.path("run")).expect("a directory");
        put_over(&directory.path("run"), "/run");
        let mut bench = Bench::new(&directory);
        assert_eq!(bench.start(0), GroupOutcome::Started);
        let state = directory.path("run/resource-agents/Dummy-Dummy.state");
        assert!(state.exists(), "the agent keeps its state there");
        assert_eq!(bench.stop(0), GroupOutcome::Stopped);
        assert!(!state.exists());
    });
}

#[test]
fn the_agents_of_the_package_do_what_they_should() {
    in_namespace(
        "agents::the_agents_of_the_package_do_what_they_should",
        || {
            for needed in [
                "/usr/lib/ocf/resource.d/heartbeat/Filesystem",
                "/usr/sbin/modprobe",
            ] {
                if !Path::new(needed).exists() {
                    return skip(&format!(
                        "there is no {needed}: resource-agents or kmod is not installed"
                    ));
                }
            }
            let directory = Directory::new();
            let mounted = directory.path("mounted");
            let temporary = directory.path("rsctmp");
            fs::create_dir(&mounted).expect("a directory");
            fs::create_dir(&temporary).expect("a directory");
            let directory = directory
                .setting(&format!("env RSCTMP={}", temporary.display()))
                .group("ocf:heartbeat:Dummy::fake=a Delay::0::0")
                .group(&format!("Filesystem::tmpfs::{}::tmpfs", mounted.display()));
            let is_mounted = || {
                let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
                mounts.contains(mounted.to_str().expect("plain text"))
            };
            let mut bench = Bench::new(&directory);
            for group in [0, 1] {
                assert_eq!(bench.probe(group), GroupOutcome::FoundStopped, "{group}");
                assert_eq!(bench.start(group), GroupOutcome::Started, "{group}");
                assert_eq!(bench.probe(group), GroupOutcome::FoundRunning, "{group}");
            }
            assert!(is_mounted());
            for group in [1, 0] {
                assert_eq!(bench.stop(group), GroupOutcome::Stopped, "{group}");
                assert_eq!(bench.probe(group), GroupOutcome::FoundStopped, "{group}");
                assert_eq!(bench.stop(group), GroupOutcome::Stopped, "{group}");
            }
            assert!(!is_mounted());
        },
    );
}

/// Calls the translators of Debian's heartbeat with agents that tell what they were given.
#[test]
fn every_short_form_means_what_its_translator_made_of_it() {
    const AGENTS: &str = "/usr/lib/ocf/resource.d/heartbeat";
    const NAME: &str = "agents::every_short_form_means_what_its_translator_made_of_it";
    in_namespace(NAME, || {
        if !Path::new("/etc/ha.d/resource.d/hto-mapfuncs").exists() {
            return skip("the package heartbeat is not installed");
        }
        let telling =
            "env | grep ^OCF_RESKEY_ | sed s/^OCF_RESKEY_// | LC_ALL=C sort > $journal; exit 0";
        let mut directory = Directory::new();
        for shorthand in shorthand::ALL {
            directory = directory.agent_of("heartbeat", shorthand.name, telling);
        }
        let ours = directory.path("ocf/resource.d/heartbeat");
        for library in [
            ".ocf-shellfuncs",
            ".ocf-returncodes",
            ".ocf-directories",
            ".ocf-binaries",
        ] {
            fs::copy(Path::new(AGENTS).join(library), ours.join(library)).expect("copied");
        }
        put_over(&ours, AGENTS);
        let mut compared = 0;
        for word in [
            "AudibleAlarm::vm3::vm4",
            "Delay::5",
            "Delay::5::7",
            "Filesystem::/dev/sdb1::/srv",
            "Filesystem::/dev/sdb1::/srv::ext4",
            "Filesystem::LABEL=data::/srv::ext4::noatime,ro",
            "ICP::1::/dev/sda",
            "IPsrcaddr::10.0.0.9",
            "LVM::vg0",
            "LinuxSCSI::0:0:1",
            "MailTo::root",
            "MailTo::root::Moved",
            "Raid1::/etc/raidtab::/dev/md0",
            "SendArp::10.0.0.9/eth0",
            "ServeRAID::1::2",
            "WAS",
            "WAS::9080",
            "WAS::/etc/passwd",
            "WinPopup",
            "WinPopup::/etc/hosts.pop",
            "Xinetd::ftp",
            "apache",
            "apache::/etc/apache2/apache2.conf",
            "db2::db2inst1",
            "ids",
            "ids::/opt/ids::one::on",
            "portblock::tcp::80,443::block",
        ] {
            let mut pieces = word.split("::");
            let name = pieces.next().expect("a name");
            let arguments: Vec<String> = pieces.map(str::to_owned).collect();
            let told = std::process::Command::new(Path::new("/etc/ha.d/resource.d").join(name))
                .args(&arguments)
                .arg("start")
                .output()
                .expect("called");
            assert!(told.status.success(), "{word}: {told:?}");
            let text = fs::read_to_string(directory.path("journal")).expect("the agent was called");
            // One translator leaves a blank at the end; nobody looks at it.
            let theirs: Vec<&str> = text.lines().map(str::trim_end).collect();
            let shorthand = shorthand::find(name).expect("a short form");
            let mut meant = shorthand.parameters(&arguments).expect("enough arguments");
            meant.retain(|(name, _)| name != "mondelay"); // ours, see there
            let mut meant: Vec<String> = meant
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            meant.sort();
            assert_eq!(theirs, meant, "{word}");
            compared += 1;
        }
        println!("{compared} words compared");
    });
}
