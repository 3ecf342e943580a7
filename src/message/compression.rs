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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::ZlibEncoder::new(data, flate2::Compression::default())
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    fn bz2(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bzip2::read::BzEncoder::new(data, bzip2::Compression::new(1))
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn everything_up_to_the_limit_comes_back_and_one_byte_more_does_not() {
        for (algorithm, compress) in [("zlib", zlib as fn(&[u8]) -> Vec<u8>), ("bz2", bz2)] {
            for length in [0, 1, STEP - 1, STEP, STEP + 1, MAX_INFLATED] {
                let data: Vec<u8> = (0..=255)
                    .cycle()
                    .flat_map(|byte| [byte; 100])
                    .take(length)
                    .collect();
                let mut out = b"old".to_vec();
                assert_eq!(inflate(&compress(&data), Some(algorithm), &mut out), Ok(()));
                assert!(out == data, "{algorithm} {length}");
            }
            let mut out = Vec::new();
            let bomb = compress(&vec![0; MAX_INFLATED + 1]);
            assert_eq!(
                inflate(&bomb, Some(algorithm), &mut out),
                Err(Inflation::TooLarge)
            );
            let bomb = compress(&vec![0; 20 * MAX_INFLATED]);
            assert_eq!(
                inflate(&bomb, Some(algorithm), &mut out),
                Err(Inflation::TooLarge)
            );
            assert!(out.capacity() <= MAX_INFLATED + STEP);
        }
    }

    #[test]
    fn damaged_and_cut_off_data_is_refused() {
        for (algorithm, compress) in [("zlib", zlib as fn(&[u8]) -> Vec<u8>), ("bz2", bz2)] {
            let good = compress(b"some text that is compressed, some text that is not");
            let mut out = Vec::new();
            for length in 0..good.len() {
                let cut = inflate(&good[..length], Some(algorithm), &mut out);
                assert_eq!(cut, Err(Inflation::Damaged), "{algorithm} {length}");
            }
            assert_eq!(
                inflate(b"no such stream", Some(algorithm), &mut out),
                Err(Inflation::Damaged)
            );
        }
        assert_eq!(
            inflate(b"", Some("lzma"), &mut Vec::new()),
            Err(Inflation::UnknownAlgorithm)
        );
        assert_eq!(
            inflate(b"", None, &mut Vec::new()),
            Err(Inflation::UnknownAlgorithm)
        );
    }
}
