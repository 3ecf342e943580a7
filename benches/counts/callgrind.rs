//! Counting the instructions of a case: this program again, under callgrind.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use super::ONCE;
use super::limits::Machine;

/// Its name is in the symbol however the compiler mangles names.
const COUNTED: &str = "--toggle-collect=*the_part_that_is_counted*";

/// The C library chooses how to copy memory by what the processor can do. This way it takes the same on every processor.
const PLAIN_COPIES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX2_Usable,-AVX_Usable,\
    -AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT";

/// What counts depend on here.
///
/// # Errors
/// Where there is no compiler, or no valgrind.
pub fn machine() -> Result<Machine, String> {
    let valgrind = first_line("valgrind", &["--version"]);
    Ok(Machine {
        rustc: first_line("rustc", &["--version"])?,
        valgrind: valgrind.map_err(|error| format!("{error} (Debian: valgrind)"))?,
        libc: first_line("ldd", &["--version"])?,
        target: env::consts::ARCH.to_owned(),
    })
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How many instructions the counted part of a case takes.
///
/// # Errors
/// When it can't be counted, or the case finds that it did not do what it should.
pub fn count(name: &str) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| format!("my own program file: {error}"))?;
    let folder = tempfile::tempdir().map_err(|error| format!("a folder for the count: {error}"))?;
    let file = folder.path().join("callgrind.out");
    // Nothing else of the environment: its size moves the stack, and with it what is aligned.
    let inherited = env::vars_os().filter(|(name, _)| name == "PATH" || name == "HB_LAB_INSIDE");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .arg(COUNTED)
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args([ONCE, name])
        .env_clear()
        .envs(inherited)
        .env("GLIBC_TUNABLES", PLAIN_COPIES)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{name} failed under valgrind ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let written = fs::read_to_string(&file);
    let written = written.map_err(|error| format!("what callgrind wrote of {name}: {error}"))?;
    match total(&written) {
        Some(count) if count > 0 => Ok(count),
        _ => Err(format!(
            "callgrind counted nothing of {name}: is the program stripped of its symbols?"
        )),
    }
}

fn total(written: &str) -> Option<u64> {
    let mut totals = written
        .lines()
        .filter_map(|line| line.strip_prefix("totals: "));
    totals.next()?.split(' ').next()?.parse().ok()
}
