//! Starting a program that bears its own process number in its environment.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::ptr;

use libc::c_char;

/// Digits of a process number, zeros in front.
const DIGITS: usize = 10;

/// Starts `command` with `variable` set to its process number in ten digits, a blank and `rest`. What was set
/// on the command is its whole environment, as after `env_clear`. A file that the kernel does not know how to run,
/// such as a script without `#!`, is run by `/bin/sh`, as every shell does it.
///
/// Only the process itself knows its number before the program begins, so it writes it there itself. Whatever the
/// program starts inherits the variable and has another number.
pub fn spawn_numbered(mut command: Command, variable: &str, rest: &OsStr) -> io::Result<Child> {
    let mut image = Image::new(&command, variable, rest)?;
    // SAFETY: runs between fork and exec, where memory must not be allocated and no lock be taken: it writes into
    // memory that `image` owns, and calls getpid and execve.
    unsafe { command.pre_exec(move || Err(image.become_it())) };
    command.spawn()
}

/// Everything that execve needs, made before the fork.
struct Image {
    /// The program, or where it may be; and the arguments of the shell that runs it if nothing else can.
    files: Vec<(CString, Block)>,
    /// `NAME=0000000000 rest`
    numbered: Box<[u8]>,
    /// Where the digits are in it.
    digits: usize,
    arguments: Block,
    environment: Block,
}

/// Strings in the form that the kernel takes: a list of pointers with a null pointer at its end.
struct Block {
    pointers: Vec<*const c_char>,
    /// What they point at; where that is does not change with the list.
    _strings: Vec<CString>,
}

// SAFETY: the pointers lead to heap memory that nobody else has and that moves with its owner.
unsafe impl Send for Image {}
// SAFETY: nothing can be done with a shared reference.
unsafe impl Sync for Image {}

impl Image {
    fn new(command: &Command, variable: &str, rest: &OsStr) -> io::Result<Self> {
        let mut numbered = format!("{variable}={:0DIGITS$} ", 0).into_bytes();
        let digits = numbered.len().saturating_sub(DIGITS).saturating_sub(1);
        numbered.extend(string(rest)?.into_bytes_with_nul());
        let numbered = numbered.into_boxed_slice();
        let arguments = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        let set = || {
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?)))
        };
        let variables = set().map(|(name, value)| {
            let mut text = name.to_owned();
            text.push("=");
            text.push(value);
            text
        });
        let path = set().find(|(name, _)| *name == "PATH");
        let with_shell = |file: CString| {
            let script = OsStr::from_bytes(file.as_bytes()).to_owned();
            let rest = command.get_args().map(OsStr::to_owned);
            let words = [OsString::from("/bin/sh"), script].into_iter().chain(rest);
            Block::new(words).map(|words| (file, words))
        };
        let files = files(command.get_program(), path.map(|(_, value)| value))?;
        Ok(Self {
            files: files
                .into_iter()
                .map(with_shell)
                .collect::<io::Result<_>>()?,
            digits,
            arguments: Block::new(arguments.map(OsStr::to_owned))?,
            // The first is the numbered one, once it is written.
            environment: Block::new([OsString::new()].into_iter().chain(variables))?,
            numbered,
        })
    }

    /// Gives back why it failed.
    fn become_it(&mut self) -> io::Error {
        let mut number = std::process::id();
        let digits = self.numbered.iter_mut().skip(self.digits).take(DIGITS);
        for digit in digits.rev() {
            *digit = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0));
            number /= 10;
        }
        if let Some(first) = self.environment.pointers.first_mut() {
            *first = self.numbered.as_ptr().cast();
        }
        let mut reason = io::Error::from_raw_os_error(libc::ENOENT);
        for (file, with_shell) in &self.files {
            let mut error = self.execute(file, &self.arguments);
            if error.raw_os_error() == Some(libc::ENOEXEC) {
                error = self.execute(c"/bin/sh", with_shell);
            }
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                // There may be another one further on that can be run.
                Some(libc::EACCES) => reason = error,
                _ => return error,
            }
        }
        reason
    }

    /// Gives back why it failed.
    fn execute(&self, file: &CStr, arguments: &Block) -> io::Error {
        // SAFETY: a string that ends with zero, and two lists of such strings that end with a null pointer;
        // the caller and `self` own them all.
        unsafe {
            libc::execve(
                file.as_ptr(),
                arguments.pointers.as_ptr(),
                self.environment.pointers.as_ptr(),
            );
        }
        io::Error::last_os_error()
    }
}

impl Block {
    fn new(strings: impl Iterator<Item = OsString>) -> io::Result<Self> {
        let strings: Vec<CString> = strings
            .map(|text| string(&text))
            .collect::<Result<_, _>>()?;
        let pointers = strings
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            pointers,
            _strings: strings,
        })
    }
}

/// A name without a slash is looked for in every directory of `PATH`.
fn files(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
    let path = path.filter(|_| !program.as_bytes().contains(&b'/'));
    let Some(path) = path else {
        return Ok(vec![string(program)?]);
    };
    path.as_bytes()
        .split(|&byte| byte == b':')
        .map(|directory| {
            string(
                Path::new(OsStr::from_bytes(directory))
                    .join(program)
                    .as_os_str(),
            )
        })
        .collect()
}

fn string(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.to_owned().into_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn run(program: &str, arguments: &[&str]) -> io::Result<(u32, String)> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/nowhere:/usr/bin:/bin")
            .env("OTHER", "kept")
            .stdout(Stdio::piped());
        let child = spawn_numbered(command, "MARK", OsStr::new("two words"))?;
        let pid = child.id();
        let output = child.wait_with_output()?;
        Ok((pid, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    #[test]
    fn a_program_finds_its_own_number_and_its_children_find_the_same() {
        let (pid, seen) =
            run("sh", &["-c", "echo $$ $MARK $OTHER; sh -c 'echo $MARK'"]).expect("started");
        assert_eq!(
            seen,
            format!("{pid} {pid:010} two words kept\n{pid:010} two words\n")
        );
        let (_, environment) = run("/usr/bin/env", &[]).expect("started");
        assert_eq!(environment.lines().count(), 3, "{environment}");
    }

    #[test]
    fn a_script_without_an_interpreter_is_run_by_the_shell() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("unmarked");
        let program = path.to_str().expect("plain text");
        // Another process writes it: a child that another test starts just then would hold it open for writing.
        let write = "echo 'echo $1 $2 $MARK' > $0 && chmod 755 $0";
        run("sh", &["-c", write, program]).expect("written");
        let (pid, seen) = run(program, &["a b", "start"]).expect("started");
        assert_eq!(seen, format!("a b start {pid:010} two words\n"));
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let kind = |program| {
            run(program, &[])
                .map_err(|error| error.kind())
                .expect_err("no program")
        };
        assert_eq!(kind("/nowhere/at/all"), io::ErrorKind::NotFound);
        assert_eq!(kind("no-such-program-anywhere"), io::ErrorKind::NotFound);
        assert_eq!(kind("/etc/passwd"), io::ErrorKind::PermissionDenied);
        assert_eq!(kind("with a \0 byte"), io::ErrorKind::InvalidInput);
    }
}
