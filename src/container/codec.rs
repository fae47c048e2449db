//! Compressed units: one call decodes one cluster or grain of a known size.

use super::adler::adler32;
use crate::error::{Error, Kind, Result};
use flate2::{Decompress, FlushDecompress};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::cell::RefCell;
use std::io::Read as _;

/// Largest window that a zstd frame may ask for. Units are at most 2 MiB; writers round windows up.
const WINDOW_MAX: u64 = 8 << 20;

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
            Self::Adler => copy_checked(source, unit)?,
        };
        if length == unit.len() {
            return Ok(());
        }
        let what = format!("compressed data decodes to {length} bytes, expected {}", unit.len());
        Err(Error::new(Kind::Corrupt, what))
    }
}

thread_local! {
    static RAW: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static WRAPPED: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static ZSTD: RefCell<FrameDecoder> = RefCell::new(frame_decoder());
}

type Inflater = std::thread::LocalKey<RefCell<Decompress>>;

fn inflate(decoder: &'static Inflater, wrapped: bool, source: &[u8], unit: &mut [u8]) -> Result<usize> {
    decoder.with_borrow_mut(|decoder| {
        decoder.reset(wrapped);
        decoder.decompress(source, unit, FlushDecompress::Finish).map_err(broken)?;
        usize::try_from(decoder.total_out()).map_err(broken)
    })
}

fn frame_decoder() -> FrameDecoder {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW_MAX);
    decoder
}

/// Decodes frame after frame; a unit may be made of more than one.
fn unzstd(source: &[u8], unit: &mut [u8]) -> Result<usize> {
    ZSTD.with_borrow_mut(|decoder| {
        let (mut source, mut filled) = (source, 0usize);
        while filled < unit.len() && !source.is_empty() {
            let before = filled;
            decoder.reset(&mut source).map_err(broken)?;
            while filled < unit.len() && !(decoder.is_finished() && decoder.can_collect() == 0) {
                decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1)).map_err(broken)?;
                let rest = unit.get_mut(filled..).unwrap_or_default();
                filled = filled.saturating_add(decoder.read(rest).map_err(broken)?);
            }
            if filled == before {
                break;
            }
        }
        Ok(filled)
    })
}

fn copy_checked(source: &[u8], unit: &mut [u8]) -> Result<usize> {
    let (bytes, checksum) = source.split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
    if bytes.len() == unit.len() {
        let (expected, found) = (u32::from_le_bytes(*checksum), adler32(bytes));
        if expected != found {
            let message = format!("checksum: expected {expected:#010x}, found {found:#010x}");
            return Err(Error::new(Kind::Corrupt, message));
        }
        unit.copy_from_slice(bytes);
    }
    Ok(bytes.len())
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
        ruzstd::encoding::compress_to_vec(&text()[..], ruzstd::encoding::CompressionLevel::Fastest)
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
