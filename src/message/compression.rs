//! Inflating what a peer compressed, up to a limit.

use std::fmt;

use bzip2::Decompress as Bzip2;
use flate2::{Decompress as Zlib, FlushDecompress, Status};

use super::MAX_INFLATED;

/// Why a compressed message could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inflation {
    /// Neither zlib nor bz2, or not named.
    UnknownAlgorithm,
    /// The compressed data is damaged or cut off.
    Damaged,
    /// More than two MiB came out.
    TooLarge,
}

impl fmt::Display for Inflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAlgorithm => "unknown compression algorithm",
            Self::Damaged => "compressed data damaged",
            Self::TooLarge => "inflates to more than 2 MiB",
        })
    }
}

/// The output grows by what was really inflated, so that no header decides how much is allocated.
const STEP: usize = 64 * 1024;

/// Inflates `data`, replacing what `out` holds; what follows the compressed stream is ignored.
pub fn inflate(data: &[u8], algorithm: Option<&str>, out: &mut Vec<u8>) -> Result<(), Inflation> {
    out.clear();
    match algorithm {
        Some("zlib") => {
            let mut zlib = Zlib::new(true);
            inflate_with(data, out, |rest, out| {
                let before = zlib.total_in();
                let status = zlib
                    .decompress_vec(rest, out, FlushDecompress::None)
                    .map_err(|_| Inflation::Damaged)?;
                Ok((
                    status == Status::StreamEnd,
                    zlib.total_in().saturating_sub(before),
                ))
            })
        }
        Some("bz2") => {
            let mut bzip2 = Bzip2::new(false);
            inflate_with(data, out, |rest, out| {
                let before = bzip2.total_in();
                let status = bzip2
                    .decompress_vec(rest, out)
                    .map_err(|_| Inflation::Damaged)?;
                Ok((
                    status == bzip2::Status::StreamEnd,
                    bzip2.total_in().saturating_sub(before),
                ))
            })
        }
        _ => Err(Inflation::UnknownAlgorithm),
    }
}

/// `step` inflates into the spare capacity and tells whether the stream ended and how much it read.
fn inflate_with(
    mut rest: &[u8],
    out: &mut Vec<u8>,
    mut step: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(bool, u64), Inflation>,
) -> Result<(), Inflation> {
    loop {
        if out.len() == out.capacity() {
            out.reserve_exact(STEP);
        }
        let before = out.len();
        let (ended, read) = step(rest, out)?;
        if out.len() > MAX_INFLATED {
            return Err(Inflation::TooLarge);
        }
        if ended {
            return Ok(());
        }
        let read = usize::try_from(read).unwrap_or(usize::MAX);
        if read == 0 && out.len() == before {
            return Err(Inflation::Damaged); // cut off
        }
        rest = rest.get(read..).unwrap_or_default();
    }
}
