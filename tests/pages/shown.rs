//! What pages show and no test runs: files of a pair go through `heartbeat check`, commands through the shell's own
//! parser and that of the program they call, and both languages show the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use heartbeat::config::{DIRECTIVES, Reader, Source, check};
use heartbeat::daemon::command_line;

use crate::declared::{Messages, messages};
use crate::lab::program::built;
use crate::page::{Block, Page, pages_in, translated};

/// The files of a page, and for those that it does not show some that do no harm.
struct Files(BTreeMap<&'static str, String>);

const SAMPLE: [(&str, &str); 3] = [
    (
        "ha.cf",
        "node node-a node-b\nbaud 115200\nserial /dev/ttyS0\nbcast eth0 eth1\nauto_failback off\nlogfacility daemon\n",
    ),
    ("haresources", "node-a IPaddr::192.168.1.100/24/eth0\n"),
    (
        "authkeys",
        "auth 1\n1 sha1 a-secret-of-this-test-that-is-long-enough\n",
    ),
];

impl Files {
    fn of(page: &Page) -> Self {
        let file = |(name, sample): (&'static str, &str)| {
            let shown = page.all(&[name]);
            assert!(shown.len() < 2, "{}: several {name}", page.path);
            let mut text = shown.first().map_or(sample, |block| &block.text).to_owned();
            for more in page.all(&[name, "more"]) {
                text.push_str(&more.text);
            }
            (name, text)
        };
        Self(SAMPLE.map(file).into())
    }
}

impl Reader for Files {
    fn read(&self, path: &Path) -> io::Result<Source> {
        let name = path.file_name().and_then(|name| name.to_str());
        let text = name.and_then(|name| self.0.get(name));
        let text = text.ok_or(io::ErrorKind::NotFound)?;
        Ok(Source {
            text: text.clone().into_bytes(),
            mode: 0o600,
        })
    }
}

/// Every page for operators, in English.
fn pages() -> Vec<Page> {
    let mut paths = pages_in("docs/cookbook");
    paths.push("docs/quick-start.md".to_owned());
    assert!(paths.len() > 10, "{paths:?}");
    paths.iter().map(|path| Page::read(path)).collect()
}

#[test]
fn every_file_that_a_page_shows_is_valid_and_gets_no_warning() {
    for page in pages() {
        for node in ["node-a", "node-b"] {
            let files = Files::of(&page);
            let checked = check(Path::new("/etc/ha.d"), node, &files, &|_| None, false);
            let is_sound = checked.exit_status == 0 && !checked.text.contains("warning");
            assert!(is_sound, "{}, on {node}:\n{}", page.path, checked.text);
        }
    }
}

#[test]
fn every_page_has_the_same_blocks_in_both_languages() {
    let blocks = |path: &str| {
        let blocks = Page::read(path).blocks.into_iter();
        blocks
            .map(|block| (block.words, block.text))
            .collect::<Vec<_>>()
    };
    for page in pages() {
        let other = translated(&page.path);
        for (block, theirs) in blocks(&page.path).iter().zip(blocks(&other)) {
            assert_eq!(*block, theirs, "{} and {other}", page.path);
        }
        assert_eq!(page.blocks.len(), blocks(&other).len(), "{other}");
    }
    let mut theirs = pages_in("docs/zh");
    theirs.retain(|path| !path.ends_with("errors.md"));
    let ours: Vec<_> = pages().iter().map(|page| translated(&page.path)).collect();
    for path in &theirs {
        assert!(ours.contains(path), "{path} has no page in English");
    }
}

/// A directive that stands in the text with its values, where it has some that are meant; a message can begin alike.
fn directives_in_text(page: &Page, messages: &Messages) -> Vec<(String, String)> {
    let pieces = page.code_in_text().into_iter().filter_map(|piece| {
        let (name, values) = piece.split_once(' ')?;
        let is_directive = DIRECTIVES.iter().any(|directive| directive.name == name);
        let is_placeholder = |word: &str| {
            word.contains("...") || word == "*" || word.chars().all(char::is_uppercase)
        };
        let is_message = messages.keys().any(|message| message.starts_with(&piece));
        let is_meant = is_directive && !is_message && !values.split([' ', '=']).any(is_placeholder);
        is_meant.then(|| (name.to_owned(), piece.clone()))
    });
    pieces.collect()
}

/// What `last_link witness` wants beside it.
const WITNESS: &str = "ping 192.168.1.254";

#[test]
fn every_directive_in_the_text_of_a_page_is_valid() {
    let mut count = 0;
    let messages = messages();
    let english = pages().into_iter().chain([Page::read("docs/errors.md")]);
    for page in english {
        let page_there = Page::read(&translated(&page.path));
        for (name, line) in [&page, &page_there]
            .into_iter()
            .flat_map(|page| directives_in_text(page, &messages))
        {
            let mut files = Files::of(&page);
            let ha_cf = files.0.get_mut("ha.cf").expect("there is one");
            let others = ha_cf
                .lines()
                .filter(|other| !other.starts_with(&format!("{name} ")));
            *ha_cf = others
                .chain([line.as_str(), WITNESS])
                .collect::<Vec<_>>()
                .join("\n")
                + "\n";
            let checked = check(Path::new("/etc/ha.d"), "node-a", &files, &|_| None, false);
            count += 1;
            assert_eq!(
                checked.exit_status, 0,
                "{}: `{line}`:\n{}",
                page.path, checked.text
            );
        }
    }
    assert!(count > 40, "only {count} directives were found");
}

/// Whether the shell can read it.
fn shell_error(text: &str) -> Option<String> {
    let output = Command::new("bash")
        .args(["-nc", text])
        .stdin(Stdio::null())
        .output()
        .expect("bash is everywhere");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The command lines of our programs in shell text: each word that names one, with what follows up to a sign that ends
/// a command. Quotes around words that follow do not matter to our parsers.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let commands = text.split(['\n', ';', '|', '&', '(', ')', '>', '<']);
    let words = |command: &str| -> Vec<String> {
        let words = command
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']));
        let words = words.take_while(|word| !word.starts_with('#'));
        words.map(str::to_owned).collect()
    };
    let from_ours = |words: Vec<String>| {
        let first = words.iter().position(|word| OURS.contains(&word.as_str()));
        let at_begin = ["do", "then", "else", "!", "exec", "if", "while", "until"];
        first
            .filter(|&at| {
                words[..at]
                    .iter()
                    .all(|word| at_begin.contains(&word.as_str()))
            })
            .map(|at| words[at..].to_vec())
    };
    commands.map(words).filter_map(from_ours).collect()
}

const OURS: [&str; 4] = ["heartbeat", "cl_status", "hb_standby", "hb_takeover"];

/// What the program says of these words if it does not understand them.
fn usage_error(words: &[String]) -> Option<String> {
    let arguments = words[1..].iter().map(OsString::from);
    if words[0] == "heartbeat" {
        return command_line::parse(arguments).err();
    }
    // Without a daemon they end at once: there is none below this directory.
    let output = Command::new(built(&words[0]))
        .args(arguments)
        .args(["-C", "/nonexistent"])
        .stdin(Stdio::null())
        .output()
        .expect("it is built");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let signs = ["usage:", "invalid", "unexpected", "Not enough"];
    signs.iter().any(|sign| said.contains(sign)).then_some(said)
}

/// Everything of a page that a shell reads.
fn shell_texts(page: &Page) -> Vec<String> {
    let blocks = page.blocks.iter().filter(|block| block.shell().is_some());
    blocks.map(|block| block.text.clone()).collect()
}

/// What stands in the text and is a command line of ours, not a message or the beginning of one; `heartbeat` alone is the
/// name of the program, and `heartbeat(8)` a page.
fn commands_in_text(page: &Page, messages: &Messages) -> Vec<String> {
    let is_message = |piece: &str| {
        let begin = piece.split("...").next().unwrap_or_default().trim();
        messages.keys().any(|message| message.starts_with(begin))
    };
    let mut pieces = page.code_in_text();
    pieces.retain(|piece| {
        OURS.iter()
            .any(|name| piece.starts_with(&format!("{name} ")))
    });
    pieces.retain(|piece| !is_message(piece));
    pieces
}

#[test]
fn every_command_on_a_page_can_be_read_by_the_shell_and_by_our_programs() {
    let mut count = 0;
    let mut wrong = Vec::new();
    let messages = messages();
    let mut seen = BTreeSet::new();
    for page in pages().into_iter().chain([Page::read("docs/errors.md")]) {
        let page_there = Page::read(&translated(&page.path));
        let texts = shell_texts(&page).into_iter();
        let texts = texts.chain(
            [&page, &page_there]
                .into_iter()
                .flat_map(|page| commands_in_text(page, &messages)),
        );
        for text in texts.filter(|text| seen.insert(text.clone())) {
            if let Some(error) = shell_error(&text) {
                wrong.push(format!("{}: {text}: {error}", page.path));
            }
            for words in command_lines(&text) {
                count += 1;
                if let Some(error) = usage_error(&words) {
                    wrong.push(format!("{}: {}: {error}", page.path, words.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "only {count} command lines were found");
}

#[test]
fn a_wrong_word_would_be_noticed() {
    let lines = command_lines(
        "a; heartbeat chek && while cl_status x; do hb_standby al >/dev/null; done # heartbeat y\n",
    );
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in lines {
        assert!(usage_error(&line).is_some(), "{line:?}");
    }
    let right = command_lines(
        "heartbeat -C /x check; cl_status nodestatus node-a; hb_takeover local --no-wait",
    );
    for line in right {
        assert_eq!(usage_error(&line), None);
    }
    assert!(shell_error("if true; then").is_some() && shell_error("true").is_none());
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_scripts_of_a_page() {
    if Command::new("shellcheck")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        let required = std::env::var("HB_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!required, "shellcheck is not installed");
        eprintln!("skipped: shellcheck is not installed");
        return;
    }
    let mut count = 0;
    for page in pages() {
        let is_script = |block: &&Block| block.shell().is_some_and(|place| place.starts_with('/'));
        for block in page.blocks.iter().filter(is_script) {
            count += 1;
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &block.text).expect("written");
            let output = Command::new("shellcheck")
                .arg(file.path())
                .output()
                .expect("it is there");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}: {said}", page.path);
        }
    }
    assert!(count > 1, "{count} scripts");
}
