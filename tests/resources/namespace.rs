//! Runs a test in network and mount namespaces of its own, as root or as an ordinary user where user
//! namespaces are allowed.

use std::path::Path;
use std::process::{Command, Output};

const MARK: &str = "HB_TEST_IN_NAMESPACE";
const REQUIRED: &str = "HB_TEST_REQUIRE_ALL";

/// Runs `test` in fresh namespaces by running this very test again in there. Skipped with the reason printed
/// when they can't be made; with `HB_TEST_REQUIRE_ALL=1` that is a failure.
pub fn in_namespace(name: &str, test: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        return test();
    }
    let ways: [&[&str]; 2] = [
        &["--net", "--mount"],
        &["--net", "--mount", "--user", "--map-root-user"],
    ];
    let mut reasons = Vec::new();
    let way = ways.into_iter().find(|way| {
        let tried = run("unshare", |command| {
            command.args(*way).args(["ip", "link", "set", "lo", "up"])
        });
        reasons.extend(tried.as_ref().err().cloned());
        tried.is_ok()
    });
    let Some(way) = way else {
        let reason = format!(
            "{name}: no network namespace can be made here: {}",
            reasons.join("; ")
        );
        return skip(&reason);
    };
    let program = std::env::current_exe().expect("a path");
    let arguments = ["--exact", name, "--nocapture", "--test-threads=1"];
    let run = run("unshare", |command| {
        command
            .args(way)
            .arg(program)
            .args(arguments)
            .env(MARK, "1")
    });
    match run {
        Ok(output) => print!("{output}"),
        Err(output) => panic!("in the namespace:\n{output}"),
    }
}

/// Says why a test can't be run here, or fails if it must.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os(REQUIRED).is_none_or(|value| value != "1"),
        "{reason}"
    );
    println!("SKIPPED {reason}");
}

/// The output of `ip`, which must succeed.
pub fn ip(arguments: &str) -> String {
    run("ip", |command| command.args(arguments.split_whitespace()))
        .unwrap_or_else(|output| panic!("ip {arguments}: {output}"))
}

/// Hides what is at `place` behind `what`, in this namespace only.
pub fn put_over(what: &Path, place: &str) {
    let mounted = run("mount", |command| {
        command.arg("--bind").arg(what).arg(place)
    });
    mounted.unwrap_or_else(|output| panic!("mount over {place}: {output}"));
}

fn run(
    program: &str,
    arrange: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<String, String> {
    let mut command = Command::new(program);
    let Output {
        status,
        stdout,
        stderr,
    } = arrange(&mut command)
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if status.success() {
        Ok(text(&stdout))
    } else {
        Err(text(&stdout) + &text(&stderr))
    }
}
