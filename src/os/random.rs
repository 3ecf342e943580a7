//! Random bytes of the kernel, for what must not be guessed.

use std::io;

/// Fills `bytes` from the kernel's random source. Early after boot this waits until the source has gathered enough; there is
/// no weaker one to fall back to.
///
/// # Errors
/// When the kernel has no such call.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut left = bytes;
    while !left.is_empty() {
        // SAFETY: `left` is writable for the length given.
        let count = unsafe { libc::getrandom(left.as_mut_ptr().cast(), left.len(), 0) };
        if let Ok(count) = usize::try_from(count) {
            left = left.get_mut(count..).unwrap_or_default();
            continue;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fillings_are_alike() {
        let [mut first, mut second] = [[0; 32]; 2];
        fill(&mut first).expect("a random source");
        fill(&mut second).expect("a random source");
        assert_ne!(first, second);
        let halves = (first.get(..16), first.get(16..));
        assert_ne!(halves.0, halves.1);
    }
}
