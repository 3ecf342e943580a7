//! The configuration corpus: directories with the three files and exactly what `heartbeat check` says about them.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --test config` writes the `expected` files anew; look at the difference.
//! Beside the three files a directory may have `host` (the name of the machine, else `vm3`), `mode` (the
//! permission bits of `authkeys`, else 600), `denied` (a file that may not be read) and `nodeinfo`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartbeat::config::{
    AutoFailback, Config, FailbackCondition, MediumKind, Reader, Severity, Source, check, load,
    load_keys,
};
use heartbeat::daemon::serial_budget;
use heartbeat::message::Method;
use proptest::prelude::*;

/// One directory of the corpus, read as if it were `/etc/ha.d`.
struct Case(PathBuf);

impl Reader for Case {
    fn read(&self, path: &Path) -> io::Result<Source> {
        let name = path.file_name().unwrap_or_default();
        if self.note("denied").as_deref().map(OsStr::new) == Some(name) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let text = fs::read(self.0.join(name))?;
        let mode = self.note("mode").unwrap_or("600".into());
        Ok(Source {
            text,
            mode: u32::from_str_radix(&mode, 8).expect("an octal mode"),
        })
    }
}

impl Case {
    fn named(kind: &str, name: &str) -> Self {
        Self(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/config")
                .join(kind)
                .join(name),
        )
    }

    fn all(kind: &str) -> Vec<Self> {
        let folder = Self::named(kind, "").0;
        let mut cases: Vec<_> = fs::read_dir(folder)
            .expect("the corpus")
            .map(|entry| Self(entry.expect("a directory").path()))
            .collect();
        cases.sort_by(|a, b| a.0.cmp(&b.0));
        cases
    }

    fn note(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.join(name))
            .ok()
            .map(|text| text.trim().to_owned())
    }

    fn host(&self) -> String {
        self.note("host").unwrap_or("vm3".into())
    }

    fn load(&self) -> Config {
        load(directory(), &self.host(), self)
            .expect("a valid configuration")
            .0
    }

    /// Compares what the check says with the `expected` file; gives the exit status.
    fn compare(&self, differences: &mut Vec<String>) -> u8 {
        let checked = check(directory(), &self.host(), self, &serial_budget::look, false);
        let said = format!("{}exit status {}\n", checked.text, checked.exit_status);
        let expected = self.0.join("expected");
        if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &said).expect("a writable source tree");
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        if wanted != said {
            let name = self.0.display();
            differences.push(format!("== {name}\n-- expected\n{wanted}\n-- said\n{said}"));
        }
        checked.exit_status
    }
}

fn directory() -> &'static Path {
    Path::new("/etc/ha.d")
}

#[test]
fn every_broken_configuration_gets_exactly_its_diagnostics() {
    let cases = Case::all("broken");
    assert!(cases.len() >= 24);
    let mut differences = Vec::new();
    for case in cases {
        assert_ne!(case.compare(&mut differences), 0, "{}", case.0.display());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_valid_configuration_is_accepted_with_exactly_its_warnings() {
    let mut differences = Vec::new();
    for case in Case::all("valid") {
        assert_eq!(case.compare(&mut differences), 0, "{}", case.0.display());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_error_names_a_line_and_a_column_inside_its_file() {
    for case in Case::all("broken").into_iter().chain(Case::all("valid")) {
        check_places(&case, &case.host());
    }
}

/// Errors about a whole file are those about its absence, its mode, and the right to read it.
fn check_places(reader: &dyn Reader, host: &str) {
    let diagnostics = match load(directory(), host, reader) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics,
    };
    for diagnostic in diagnostics.iter() {
        let Some(place) = &diagnostic.place else {
            let about_file = ["cannot open", "keys can be"]
                .iter()
                .any(|b| diagnostic.message.starts_with(b));
            assert!(
                diagnostic.severity != Severity::Error || about_file,
                "{}",
                diagnostic.one_line()
            );
            continue;
        };
        let text = reader
            .read(Path::new(&*place.file))
            .expect("the file of an error")
            .text;
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text
            .split('\n')
            .nth(place.line - 1)
            .expect("a line of the file");
        assert!(
            (1..=line.chars().count() + 1).contains(&place.column()),
            "{}",
            diagnostic.one_line()
        );
    }
}

#[test]
fn no_diagnostic_shows_a_key() {
    for case in Case::all("broken").into_iter().chain(Case::all("valid")) {
        let said = check(directory(), &case.host(), &case, &|_| None, false).text;
        for secret in [
            "mysecretkey",
            "5ce3b1c7a0f94d52",
            "d1e6557e2fcb30ff",
            "HI!",
            "Hello!",
            "login",
        ] {
            assert!(
                !said.contains(secret),
                "{secret} of {} is shown",
                case.0.display()
            );
        }
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let case = Case::named("broken", "01-misspelled-directive");
    assert!(
        !check(directory(), "vm3", &case, &|_| None, false)
            .text
            .contains('\x1b')
    );
    assert!(
        check(directory(), "vm3", &case, &|_| None, true)
            .text
            .contains('\x1b')
    );
}

#[test]
fn s0_means_what_it_meant() {
    let config = Case::named("valid", "s0").load();
    assert_eq!(
        (config.local_node.as_str(), config.peer_node.as_str()),
        ("vm3", "vm4")
    );
    assert_eq!(config.keepalive, Duration::from_secs(2));
    assert_eq!(config.initdead, Duration::from_secs(60));
    assert_eq!(config.auto_failback, AutoFailback::Off);
    assert_eq!(config.keys.signing, 2);
    let key = config.keys.entries[2].as_ref().expect("key 2");
    assert_eq!(
        (key.method, key.text.as_slice()),
        (Method::Sha1, b"HI!".as_slice())
    );
    assert!(
        matches!(&config.media[0].kind, MediumKind::Ucast { host, port: 694 } if host == "172.16.1.204")
    );
    assert_eq!(config.groups[0].key(), "IPaddr::172.16.1.200/24/eth0:0");
    assert_eq!(config.logfacility.as_deref(), Some("local0"));
    assert!(!config.log_to_syslog);
}

#[test]
fn s1_starts_with_the_defaults() {
    let config = Case::named("valid", "s1").load();
    assert_eq!(
        (config.keepalive, config.deadtime),
        (Duration::from_secs(1), Duration::from_secs(30))
    );
    assert_eq!(
        (config.warntime, config.initdead),
        (Duration::from_secs(15), Duration::from_secs(30))
    );
    assert_eq!(config.auto_failback, AutoFailback::Legacy);
    assert!(matches!(
        config.media[0].kind,
        MediumKind::Bcast { port: 694 }
    ));
    assert!(config.log_to_syslog);
    assert_eq!(config.peer_node, "www.centos2.com");
}

#[test]
fn node_names_have_no_case_and_nodeinfo_outranks_the_host_name() {
    let config = Case::named("valid", "s2-with-serial").load();
    assert_eq!(
        (config.local_node.as_str(), config.peer_node.as_str()),
        ("ha-02", "ha-01")
    );
    assert_eq!(config.groups[0].preferred, "ha-01");
    let config = Case::named("valid", "nodeinfo").load();
    assert_eq!(
        (config.local_node.as_str(), config.peer_node.as_str()),
        ("vm4", "vm3")
    );
}

#[test]
fn udpport_and_baud_count_wherever_they_stand() {
    let config = Case::named("valid", "order-is-free").load();
    assert!(matches!(
        config.media[0].kind,
        MediumKind::Serial { baud: 9600, .. }
    ));
    assert!(matches!(
        config.media[1].kind,
        MediumKind::Bcast { port: 700 }
    ));
}

#[test]
fn nice_failback_on_means_no_failback() {
    let config = Case::named("valid", "nice-failback").load();
    assert_eq!(config.auto_failback, AutoFailback::Off);
    let shown = config
        .parameters
        .iter()
        .find(|(name, _)| name == "auto_failback");
    assert_eq!(shown.map(|(_, text)| text.as_str()), Some("off"));
}

#[test]
fn parameters_are_those_of_3_0_6_as_they_were_written() {
    let config = Case::named("valid", "three-links").load();
    let written: Vec<String> = config
        .parameters
        .iter()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    let expected = [
        "cluster=linux-ha",
        "keepalive=200ms",
        "deadtime=1",
        "warntime=500ms",
        "initdead=10",
        "deadping=1000ms",
        "auto_failback=off",
        "baud=115200",
        "udpport=694",
        "logfacility=daemon",
        "conn_logd_time=60",
        "debug=0",
        "syslogmsgfmt=true",
        "log_badpack=true",
        "realtime=true",
        "coredumps=true",
        "msgfmt=classic",
        "compression=zlib",
        "compression_threshold=2",
        "traditional_compression=no",
        "max_rexmit_delay=250",
        "hopfudge=1",
        "hbgenmethod=file",
        "uuidfrom=file",
        "autojoin=none",
        "pacemaker=false",
        "record_config_changes=on",
        "record_pengine_inputs=on",
        "enable_config_writes=on",
        "memreserve=6500",
    ];
    assert_eq!(written, expected);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time it takes is the point")]
fn a_megabyte_of_anything_is_read_without_looking_back_at_all_of_it() {
    let lines = |line: &dyn Fn(usize) -> String| (0..40_000).map(line).collect::<String>();
    for (name, text) in [
        ("ha.cf", lines(&|i| format!("apiauth client{i} uid=root\n"))),
        ("ha.cf", "bcast eth0 ".repeat(100_000)),
        ("ha.cf", format!("keepalive{}", " ".repeat(1 << 20))),
        ("authkeys", " ".repeat(1 << 20)),
        ("haresources", lines(&|i| format!("alpha script{i}\n"))),
    ] {
        let text = text.into_bytes();
        let start = std::time::Instant::now();
        check(
            directory(),
            "vm3",
            &Invented { name, text },
            &|_| None,
            false,
        );
        // A second at most; what looks back takes minutes.
        let took = start.elapsed();
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
    }
}

#[test]
fn of_very_many_diagnostics_the_errors_are_shown_first() {
    let text = format!("{}wibble\n", "keepalive 1\nkeepalive 2\n".repeat(100));
    let (name, text) = ("ha.cf", text.into_bytes());
    let checked = check(
        directory(),
        "vm3",
        &Invented { name, text },
        &|_| None,
        false,
    );
    let unknown = checked.text.find("error: unknown directive `wibble`");
    let odd = checked.text.find("warning: ");
    assert!(unknown.is_some() && unknown < odd, "{}", checked.text);
    assert!(checked.text.contains("\n... and "), "{}", checked.text);
}

#[test]
fn far_out_on_an_endless_line_the_place_is_told_without_the_line() {
    let text = format!("keepalive{}wibble\n", " ".repeat(9000));
    let (name, text) = ("ha.cf", text.into_bytes());
    let checked = check(
        directory(),
        "vm3",
        &Invented { name, text },
        &|_| None,
        false,
    );
    let place = "/etc/ha.d/ha.cf:1:9010\n";
    assert!(checked.text.contains(place), "{}", checked.text);
    assert!(checked.text.len() < 9000);
}

#[test]
fn keys_alone_can_be_read_again() {
    let (keys, warnings) = load_keys(directory(), &Case::named("valid", "s4")).expect("keys");
    assert_eq!(keys.signing, 3);
    assert_eq!(warnings.count(Severity::Warning), 2); // md5, and a key from a sample file
    assert!(load_keys(directory(), &Case::named("broken", "20-key-file-readable")).is_err());
}

/// The three files with the same random text in one of them.
struct Invented {
    name: &'static str,
    text: Vec<u8>,
}

impl Reader for Invented {
    fn read(&self, path: &Path) -> io::Result<Source> {
        if path.file_name() == Some(OsStr::new(self.name)) {
            return Ok(Source {
                text: self.text.clone(),
                mode: 0o600,
            });
        }
        Case::named("valid", "s0").read(path)
    }
}

/// Lines that are nearly right reach deeper than noise does.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "node",
        "vm3",
        "vm4",
        "keepalive",
        "2",
        "500ms",
        "deadtime",
        "bcast",
        "eth0",
        "serial",
        "/dev/ttyS0",
        "ucast",
        "10.0.0.1",
        "mcast",
        "225.0.0.1",
        "694",
        "1",
        "0",
        "auth",
        "sha1",
        "crc",
        "sha256",
        "1sha1",
        "auth1",
        "IPaddr::10.0.0.1/24/eth0:0",
        "10.0.0.1/24",
        "IPv6addr::fd00::1/64",
        "IPv6addr",
        "::",
        "nginx",
        "a::b",
        "\\",
        "\\\n",
        "\n",
        "\n",
        "\n",
        "#",
        "//",
        ",",
        "，",
        "\u{feff}",
        "\u{a0}",
        "é",
        "apiauth",
        "uid=root",
        "uid=",
        "respawn",
        "hacluster",
        "/bin/true",
        "env",
        "A=b",
        "=",
        "stonith_host",
        "*",
        "auto_failback",
        "on",
        "nice_failback",
        "use_logd",
        "off",
        "baud",
        "\r",
        "\t",
        "\0",
        "AUTH",
        "16",
        "-1",
        "ping_group",
        "ping",
        "Keepalive",
        "node2",
        "vm3ucast",
        "\u{c}",
        "\u{b}",
    ]);
    let blanks = prop::sample::select(vec![" ", "", "\t", "\n"]);
    prop::collection::vec((words, blanks), 0..40).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(word, blank)| [word, blank])
            .collect::<String>()
            .into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_panic(
        name in prop::sample::select(vec!["ha.cf", "authkeys", "haresources", "nodeinfo"]),
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            nearly_right(),
        ],
    ) {
        let reader = Invented { name, text };
        check(directory(), "vm3", &reader, &|_| None, true);
        check_places(&reader, "vm3");
    }
}

#[test]
fn a_failback_may_wait_for_a_time_or_a_command() {
    let written = |config: &Config| {
        let mut parameters = config.parameters.iter();
        let found = parameters.find(|(name, _)| name == "auto_failback");
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let config = Case::named("valid", "failback-delayed").load();
    let five_minutes = Duration::from_secs(300);
    assert_eq!(config.auto_failback, AutoFailback::On);
    assert_eq!(config.failback, FailbackCondition::Delayed(five_minutes));
    assert_eq!(written(&config), "Delayed 5min");
    let config = Case::named("valid", "failback-when").load();
    assert_eq!(config.auto_failback, AutoFailback::On);
    let FailbackCondition::When(command) = &config.failback else {
        panic!("{:?}", config.failback);
    };
    assert_eq!(command.program, Path::new("/usr/local/sbin/in-sync"));
    assert_eq!(command.line, "/usr/local/sbin/in-sync --disk \"r 0\"");
    assert_eq!(written(&config), format!("when {}", command.line));
}
