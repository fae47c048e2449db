//! Compressed units: one call decodes one cluster or grain of a known size.

use crate::error::{Error, Kind, Result};
use flate2::{Decompress, FlushDecompress};
use libdeflater::{DecompressionError, Decompressor, adler32};
use std::cell::RefCell;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

/// Largest window that a zstd frame may ask for, as a power of two. Units are at most 2 MiB; writers round
/// windows up.
const WINDOW_LOG_MAX: u32 = 23;

/// How a unit is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Deflate without a header (RFC 1951).
    Deflate,
    /// Deflate with a zlib header (RFC 1950).
    Zlib,
    /// Zstandard frames (RFC 8878).
    Zstd,
    /// The bytes as they are, with their Adler-32 behind them.
    Adler,
}

impl Codec {
    /// Decodes `source` until `unit` is full; what follows in `source` is padding.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] for a broken stream and for one that ends before `unit` is full.
    pub(super) fn decode(self, source: &[u8], unit: &mut [u8]) -> Result<()> {
        let length = match self {
            Self::Deflate => inflate(&RAW, false, source, unit)?,
            Self::Zlib => inflate(&WRAPPED, true, source, unit)?,
            Self::Zstd => unzstd(source, unit)?,
            Self::Adler => {
                let (bytes, checksum) = source.split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
                if bytes.len() == unit.len() {
                    check_adler(bytes, *checksum)?;
                    unit.copy_from_slice(bytes);
                }
                bytes.len()
            }
        };
        if length == unit.len() {
            return Ok(());
        }
        let what = format!("compressed data decodes to {length} bytes, expected {}", unit.len());
        Err(Error::new(Kind::Corrupt, what))
    }
}

thread_local! {
    static WHOLE: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    static RAW: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static WRAPPED: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static ZSTD: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

type Inflater = std::thread::LocalKey<RefCell<Decompress>>;
type OneShot = fn(&mut Decompressor, &[u8], &mut [u8]) -> Result<usize, DecompressionError>;

/// Decodes in one call, which takes two thirds of the time; what that call does not accept, because it is damaged
/// or goes on behind the unit, is for the decoder that works step by step.
fn inflate(decoder: &'static Inflater, wrapped: bool, source: &[u8], unit: &mut [u8]) -> Result<usize> {
    let whole: OneShot =
        if wrapped { Decompressor::zlib_decompress } else { Decompressor::deflate_decompress };
    if let Ok(length) = WHOLE.with_borrow_mut(|decoder| whole(decoder, source, unit)) {
        return Ok(length);
    }
    decoder.with_borrow_mut(|decoder| {
        decoder.reset(wrapped);
        decoder.decompress(source, unit, FlushDecompress::Finish).map_err(broken)?;
        usize::try_from(decoder.total_out()).map_err(broken)
    })
}

/// Decodes frame after frame; a unit may be made of more than one.
fn unzstd(source: &[u8], unit: &mut [u8]) -> Result<usize> {
    ZSTD.with_borrow_mut(|decoder| {
        decoder.reset(ResetDirective::SessionOnly).map_err(zstd_error)?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(zstd_error)?;
        let (mut input, mut output) = (InBuffer::around(source), OutBuffer::around(unit));
        while output.pos() < output.capacity() {
            let before = (input.pos(), output.pos());
            decoder.decompress_stream(&mut output, &mut input).map_err(zstd_error)?;
            if before == (input.pos(), output.pos()) {
                break;
            }
        }
        Ok(output.pos())
    })
}

fn zstd_error(code: usize) -> Error {
    broken(get_error_name(code))
}

/// Compares the checksum that stands behind bytes.
///
/// # Errors
/// [`Kind::Corrupt`] where it is another one.
pub(super) fn check_adler(bytes: &[u8], checksum: [u8; 4]) -> Result<()> {
    let (expected, found) = (u32::from_le_bytes(checksum), adler32(bytes));
    if expected == found {
        return Ok(());
    }
    Err(Error::new(Kind::Corrupt, format!("checksum: expected {expected:#010x}, found {found:#010x}")))
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Corrupt, "compressed data").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn text() -> Vec<u8> {
        (0..65_536u32).flat_map(|n| n.to_string().into_bytes()).take(65_536).collect()
    }

    fn deflated() -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard() -> Vec<u8> {
        zstd::bulk::compress(&text(), 1).unwrap()
    }

    #[test]
    fn padding_behind_the_stream_is_ignored() {
        for (codec, mut stored) in [(Codec::Deflate, deflated()), (Codec::Zstd, zstandard())] {
            stored.extend([0xff; 300]);
            let mut unit = vec![0; 65_536];
            codec.decode(&stored, &mut unit).unwrap();
            assert!(unit == text(), "{codec:?}");
        }
    }

    #[test]
    fn a_stream_that_ends_early_is_an_error_and_never_zeros() {
        for (codec, stored) in [(Codec::Deflate, deflated()), (Codec::Zstd, zstandard())] {
            for keep in [0, 1, stored.len() / 2, stored.len() - 8] {
                let error = codec.decode(&stored[..keep], &mut vec![0; 65_536]).unwrap_err();
                assert_eq!(error.kind(), Kind::Corrupt, "{codec:?} {keep}");
            }
        }
    }

    #[test]
    fn a_unit_of_several_frames_is_decoded_to_its_end() {
        let mut stored = zstandard();
        stored.extend(zstandard());
        let mut unit = vec![0; 131_072];
        Codec::Zstd.decode(&stored, &mut unit).unwrap();
        assert!(unit[65_536..] == text());
    }
}
