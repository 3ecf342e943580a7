//! Completion in bash: everything that a command takes is offered, and nothing else.
//!
//! What a command takes is read from the sources that read its words, what is offered from bash.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words that are for the daemon itself when it starts itself again, or refused with a reason.
const NOT_FOR_PEOPLE: &[&str] = &["reset-machine", "store-file", "probe", "-R"];

/// A second letter of `-D`.
const NO_OPTION: &str = "-W";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let paths = entries.map(|entry| entry.expect("a file").path());
    paths.flat_map(|path| files(&path)).collect()
}

/// The options that one line of a `match` over words takes: any of them is the option.
fn options(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (mark, dashes) in [("Short('", "-"), ("Long(\"", "--")] {
        for rest in line.split(mark).skip(1) {
            let end = rest.find(['\'', '"']).unwrap_or(rest.len());
            found.push(format!("{dashes}{}", &rest[..end]));
        }
    }
    found
}

/// The sub-command that a line asks for or takes.
fn sub_command(line: &str) -> Option<&str> {
    let asked = [
        "Value(word) if word == \"",
        "command == \"",
        "command.as_deref() == Some(\"",
    ];
    let named = asked.iter().find_map(|mark| line.split_once(mark));
    let word = match named {
        Some((_, rest)) => rest,
        None if line.contains("\" => Query::") => line.trim().strip_prefix('"')?,
        None => return None,
    };
    word.split('"').next()
}

/// What the sources say a command takes.
#[derive(Default)]
struct Taken {
    /// The alternatives of each option, with the sub-command whose own file says so.
    options: Vec<(Option<String>, Vec<String>)>,
    commands: BTreeSet<String>,
}

fn taken(folder: &str) -> Taken {
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for path in files(&root().join(folder)) {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !code.contains("lexopt::") {
            continue;
        }
        for line in code.lines() {
            found.push((path.clone(), options(line)));
            let command = sub_command(line).filter(|word| !NOT_FOR_PEOPLE.contains(word));
            taken.commands.extend(command.map(str::to_owned));
        }
        // flags that a table of letters takes
        for letters in code.split("fn take_flag").skip(1) {
            let arms = letters.lines().take_while(|line| !line.contains("_ =>"));
            let arms = arms.filter_map(|line| line.trim().strip_prefix('\''));
            let flags = arms.filter_map(|arm| Some(format!("-{}", arm.chars().next()?)));
            found.extend(flags.map(|flag| (path.clone(), vec![flag])));
        }
    }
    found.retain(|(_, names)| {
        let is_other = |name: &String| name == NO_OPTION || NOT_FOR_PEOPLE.contains(&&**name);
        !names.is_empty() && !names.iter().any(is_other)
    });
    // a file or a folder that is named like a sub-command is about it, but not one above all sources
    for (path, names) in found {
        let path = path.strip_prefix(root()).expect("a source of the project");
        let parts = path.iter().rev().map(|part| part.to_string_lossy());
        let mut parts = parts.map(|part| part.trim_end_matches(".rs").replace('_', "-"));
        let owner = parts.find(|part| taken.commands.contains(part));
        taken.options.push((owner, names));
    }
    taken
}

/// What bash offers behind each line; `None` where there is no bash.
fn offered(lines: &[&str]) -> Option<Vec<BTreeSet<String>>> {
    let script = "
        . packaging/completion/heartbeat || exit
        for line; do
            read -ra COMP_WORDS <<<\"$line\"
            [[ $line == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _heartbeat
            echo \"${COMPREPLY[*]}\"
        done";
    let programs = Path::new(env!("CARGO_BIN_EXE_heartbeat")).parent();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", programs.expect("a folder").display());
    let outcome = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(lines)
        .env("PATH", path)
        .current_dir(root())
        .output();
    let output = match outcome {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let required = std::env::var("HB_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!required, "bash is not installed");
            eprintln!("skipped: bash is not installed");
            return None;
        }
        Err(error) => panic!("bash does not run: {error}"),
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(complaints.is_empty(), "{complaints}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sets = text.lines().map(|line| {
        let words = line.split_whitespace().map(str::to_owned);
        words.collect()
    });
    Some(sets.collect())
}

/// What is wrong with what is offered for a command. `None` where there is no bash.
fn differences(command: &str, taken: &Taken) -> Option<Vec<String>> {
    let plain = format!("{command} ");
    let mut lines = vec![plain.clone(), format!("{command} -")];
    lines.extend(taken.commands.iter().map(|word| format!("{plain}{word} -")));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answers = offered(&lines)?;
    let mut wrong = Vec::new();
    if !taken.commands.is_empty() && answers[0] != taken.commands {
        wrong.push(format!("sub-commands: {:?} are offered", answers[0]));
    }
    let everywhere: BTreeSet<String> = answers.iter().skip(1).flatten().cloned().collect();
    for (owner, names) in &taken.options {
        let place = owner.as_ref().and_then(|owner| {
            let place = taken.commands.iter().position(|word| word == owner)?;
            answers.get(place + 2)
        });
        let offered = place.unwrap_or(&everywhere);
        if !names.iter().any(|name| offered.contains(name)) {
            let owner = owner.as_deref().unwrap_or_default();
            wrong.push(format!(
                "{owner} {names:?} is taken, but --help does not tell"
            ));
        }
    }
    let known: BTreeSet<&String> = taken.options.iter().flat_map(|(_, names)| names).collect();
    let invented = everywhere.iter().filter(|word| !known.contains(word));
    wrong.extend(invented.map(|word| format!("{word} is offered and not taken")));
    Some(wrong)
}

fn compare(command: &str, folder: &str) {
    let wrong = differences(command, &taken(folder)).unwrap_or_default();
    assert!(wrong.is_empty(), "{command}: {}", wrong.join("; "));
}

#[test]
fn all_that_heartbeat_takes_is_offered() {
    compare("heartbeat", "src/daemon");
}

#[test]
fn all_that_cl_status_takes_is_offered() {
    compare("cl_status", "src/client/cl_status");
}

#[test]
fn all_that_moves_take_is_offered() {
    for command in ["hb_standby", "hb_takeover"] {
        compare(command, "src/client/moves");
    }
}

#[test]
fn what_is_missing_or_invented_is_noticed() {
    let mut planted = taken("src/daemon");
    let own = |name: &str| (Some("sniff".to_owned()), vec![name.to_owned()]);
    planted.options.push(own("--nonsense"));
    planted.options.push(own("--dry-run"));
    planted.options.retain(|(_, names)| names != &["--baud"]);
    planted.commands.insert("dance".to_owned());
    let Some(wrong) = differences("heartbeat", &planted) else {
        return;
    };
    let wrong = wrong.join("\n");
    for word in [
        "--nonsense",
        "sniff [\"--dry-run\"]",
        "--baud",
        "sub-commands",
    ] {
        assert!(wrong.contains(word), "{word}: {wrong}");
    }
    assert_eq!(wrong.lines().count(), 4, "{wrong}");
}

#[test]
fn what_is_offered_depends_on_what_is_written_before() {
    let cases: &[(&str, &str)] = &[
        ("heartbeat ser", "serial-test"),
        ("heartbeat sniff --in", "--interface"),
        ("heartbeat sniff --interface lo", "lo"),
        ("heartbeat -C tests reload --", "--dry-run --help"),
        ("heartbeat replay Cargo.to", "Cargo.toml"),
        ("heartbeat -C fuz", "fuzz"),
        ("heartbeat sniff --count ", ""),
        ("cl_status -C tests nodest", "nodestatus"),
        ("cl_status listnodes -", "--help --json -C -m -n -p -v"),
        ("cl_status hbparameter -p autoj", "autojoin"),
        ("hb_standby ", "all failback foreign local"),
        ("hb_takeover --timeout ", ""),
    ];
    let lines: Vec<&str> = cases.iter().map(|(line, _)| *line).collect();
    let Some(answers) = offered(&lines) else {
        return;
    };
    assert_eq!(answers.len(), cases.len());
    for ((line, expected), answer) in cases.iter().zip(&answers) {
        let expected: BTreeSet<String> = expected.split(' ').map(str::to_owned).collect();
        let expected: BTreeSet<String> = expected.into_iter().filter(|s| !s.is_empty()).collect();
        assert_eq!(answer, &expected, "{line}");
    }
}
