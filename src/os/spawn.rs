//! Starting a program that bears its own process number in its environment.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::ptr;

use libc::c_char;
use nix::fcntl::OFlag;

use super::child::Child as Unwaited;

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

/// The same without waiting until the child has become its program: under heavy load, or while its file has to come from a disk
/// first, that takes longer than a heartbeat may be late. The child is in a process group of its own. Of `command` counts
/// what it says of program, arguments, environment and directory; the streams are its input, output and errors.
///
/// # Errors
/// When there can be no process, or when it can be seen beforehand that this program cannot be run. What turns out later is told
/// by the child: [`Unwaited::never_ran`].
pub fn start_numbered(
    command: &Command,
    streams: &[OwnedFd; 3],
    variable: &str,
    rest: &OsStr,
) -> io::Result<Unwaited> {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let values = command
        .get_envs()
        .flat_map(|(name, value)| [Some(name), value]);
    if words.chain(values.flatten()).any(|text| text == SPOILED) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut image = Image::new(command, variable, rest)?;
    let directory = command.get_current_dir();
    let directory = directory.map(|path| string(path.as_os_str())).transpose()?;
    if let Some(directory) = &directory {
        may_use(directory)?;
    }
    image.may_run()?;
    let (complaint, mouth) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // SAFETY: in the child nothing is done but what may be done between fork and exec: no memory is allocated and no lock taken.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let numbers = streams.each_ref().map(AsRawFd::as_raw_fd);
            let reason = match become_ready(numbers, directory.as_deref()) {
                Ok(()) => image.become_it(),
                Err(reason) => reason,
            };
            let number = reason.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
            // SAFETY: the bytes live until the call is over. `_exit` runs nothing of ours.
            unsafe {
                libc::write(mouth.as_raw_fd(), number.as_ptr().cast(), number.len());
                libc::_exit(NEVER_RAN);
            }
        }
        pid => {
            // The child does it too: whoever comes first. Once it has become its program this is refused, and needless.
            // SAFETY: takes plain numbers.
            unsafe { libc::setpgid(pid, pid) };
            Ok(Unwaited::new(pid, complaint))
        }
    }
}

/// What the standard library keeps in place of a text with a zero byte, which no program can be given.
const SPOILED: &str = "<string-with-nul>";

/// What a shell exits with that finds no program.
const NEVER_RAN: libc::c_int = 127;

/// What happens to the child before it becomes its program. No stream has the number of a standard stream: those are open from the
/// beginning.
fn become_ready(streams: [RawFd; 3], directory: Option<&CStr>) -> io::Result<()> {
    let check = |result: libc::c_int| match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    for (stream, number) in streams.into_iter().zip(0..) {
        // SAFETY: takes plain numbers, of descriptors that nobody else uses: this process has one thread.
        check(unsafe { libc::dup2(stream, number) })?;
    }
    // SAFETY: takes plain numbers.
    check(unsafe { libc::setpgid(0, 0) })?;
    if let Some(directory) = directory {
        // SAFETY: a string that ends with zero.
        check(unsafe { libc::chdir(directory.as_ptr()) })?;
    }
    // SAFETY: an empty set is made before it is used; the default action runs no code of ours. The runtime of the language ignores the
    // signal, and that would be inherited.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    Ok(())
}

/// Whether this process may run the file, or go into the directory.
fn may_use(path: &CStr) -> io::Result<()> {
    // SAFETY: a string that ends with zero.
    match unsafe { libc::access(path.as_ptr(), libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
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

    /// Whether one of the files may be run, as far as that can be seen; why not otherwise. A name without a root is looked for
    /// by the child, which may be in another directory.
    fn may_run(&self) -> io::Result<()> {
        let mut reason = io::Error::from_raw_os_error(libc::ENOENT);
        for (file, _) in &self.files {
            match may_use(file) {
                Ok(()) => return Ok(()),
                Err(_) if !file.to_bytes().starts_with(b"/") => return Ok(()),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT | libc::ENOTDIR) => {}
                    _ => reason = error,
                },
            }
        }
        Err(reason)
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
    use crate::os::clock::since_boot;
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

    /// Starts it without waiting, and then waits for its end: how it ended, why it never ran, and its output.
    fn start(
        program: &str,
        arguments: &[&str],
    ) -> io::Result<(Option<i32>, Option<io::Error>, String)> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/nowhere:/usr/bin:/bin")
            .env("OTHER", "kept")
            .current_dir("/usr");
        let (mut output, writer) = io::pipe()?;
        let errors = writer.try_clone()?;
        let input = std::fs::File::open("/dev/null")?;
        let streams = [input.into(), writer.into(), errors.into()];
        let mut child = start_numbered(&command, &streams, "MARK", OsStr::new("two words"))?;
        drop(streams);
        let mut text = String::new();
        io::Read::read_to_string(&mut output, &mut text)?;
        let end = since_boot() + std::time::Duration::from_secs(30);
        while child.try_wait()?.is_none() && since_boot() < end {
            std::thread::yield_now();
        }
        let code = child.try_wait()?.and_then(|status| status.code());
        Ok((code, child.never_ran(), text))
    }

    #[test]
    fn a_child_that_is_not_waited_for_finds_what_it_is_to_find() {
        let script = "echo $(pwd) $MARK $OTHER $1; cut -d ' ' -f 5 /proc/$$/stat; exit 3";
        let (code, reason, text) = start("sh", &["-c", script, "x", "a b"]).expect("started");
        assert!(reason.is_none(), "{reason:?}");
        assert_eq!(code, Some(3));
        let mut words = text.split_whitespace();
        assert_eq!(words.next(), Some("/usr"));
        let number = words.next().expect("its number").to_owned();
        let rest: Vec<&str> = words.collect();
        let (own, told) = rest.split_last().expect("its group");
        assert_eq!(told, ["two", "words", "kept", "a", "b"]);
        assert_eq!(number, format!("{own:0>10}"), "a group of its own");
        let (code, _, text) = start("sh", &["-c", "kill -PIPE $$; echo lives"]).expect("started");
        assert_eq!((code, &*text), (None, ""), "the signal is not ignored");
    }

    #[test]
    fn a_child_that_is_not_waited_for_says_later_why_it_never_ran() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("no-interpreter");
        let write = "echo '#!/nowhere/at/all' > $0 && chmod 755 $0";
        run("sh", &["-c", write, path.to_str().expect("plain text")]).expect("written");
        let (code, reason, _) = start(path.to_str().expect("plain text"), &[]).expect("forked");
        assert_eq!(code, Some(NEVER_RAN));
        assert_eq!(
            reason.map(|error| error.kind()),
            Some(io::ErrorKind::NotFound)
        );
        let kind = |program| {
            start(program, &[])
                .map_err(|error| error.kind())
                .expect_err("no program")
        };
        assert_eq!(kind("/nowhere/at/all"), io::ErrorKind::NotFound);
        assert_eq!(kind("no-such-program-anywhere"), io::ErrorKind::NotFound);
        assert_eq!(kind("/etc/passwd"), io::ErrorKind::PermissionDenied);
        assert_eq!(kind("with a \0 byte"), io::ErrorKind::InvalidInput);
        let spoiled = start("sh", &["with a \0 byte"]).map_err(|error| error.kind());
        assert!(matches!(spoiled, Err(io::ErrorKind::InvalidInput)));
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
