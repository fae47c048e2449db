//! Small deflate streams, decoded in one call.
//!
//! Most of what is packed on a system is small: manual pages, changelogs, members of archives. Setting up a decoder
//! that works step by step takes longer than they do, and one call over all of them needs no window. What that call
//! does not accept (damage, several streams, more than is small) is for the decoder that works step by step, so
//! that nothing is read differently.

use super::to_usize;
use crate::io::ReadAt;
use libdeflater::Decompressor;
use std::cell::RefCell;
use std::io::Read;

/// Most bytes of a stream, packed.
const PACKED_MAX: usize = 256 << 10;
/// Most bytes of what is in it.
const SIZE_MAX: usize = 4 << 20;
/// Bytes behind a stream of gzip: CRC-32 and size.
const TRAILER: usize = 8;
/// What starts a stream of gzip.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

thread_local! {
    static DECODER: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    /// Memory that the next stream can have.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decoded bytes, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Whole {
    room: Vec<u8>,
    length: usize,
    /// How many of them have been read.
    taken: usize,
}

impl Whole {
    /// Memory for `size` bytes; none for more than is small.
    fn with_room(size: usize) -> Option<Self> {
        if size > SIZE_MAX {
            return None;
        }
        let mut room = ROOM.take();
        if room.len() < size {
            room.resize(size, 0);
        }
        Some(Self { room, length: size, taken: 0 })
    }

    fn room(&mut self) -> &mut [u8] {
        self.room.get_mut(..self.length).unwrap_or_default()
    }

    /// The bytes.
    fn held(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.held().get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken = self.taken.saturating_add(got);
        Ok(got)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        ROOM.set(std::mem::take(&mut self.room));
    }
}

/// Decodes `packed`, all of a gzip file (RFC 1952), if it is one stream and nothing behind it.
pub(super) fn gzip(packed: &[u8]) -> Option<Whole> {
    let (_, trailer) = packed.split_last_chunk::<TRAILER>()?;
    let [checksum, size] =
        [trailer.first_chunk::<4>()?, trailer.last_chunk::<4>()?].map(|bytes| u32::from_le_bytes(*bytes));
    // Another stream starts with the magic; that may stand in the data by chance, which costs time alone.
    if packed.get(1..)?.windows(MAGIC.len()).any(|window| window == MAGIC) {
        return None;
    }
    let mut whole = Whole::with_room(usize::try_from(size).ok()?)?;
    let decoded = DECODER.with_borrow_mut(|decoder| decoder.gzip_decompress(packed, whole.room())).ok()?;
    // The stream is checked against its own trailer; these last bytes may be something else.
    let is_all = decoded == whole.length && crc32fast::hash(whole.held()) == checksum;
    is_all.then_some(whole)
}

/// Decodes a stream of deflate (RFC 1951) that lies in `length` bytes of `content` from `at` on and is said to hold
/// `size` bytes; more are never returned.
pub(super) fn raw(content: &dyn ReadAt, at: u64, length: u64, size: u64) -> Option<Whole> {
    if length > u64::try_from(PACKED_MAX).unwrap_or(0) {
        return None;
    }
    let mut whole = Whole::with_room(usize::try_from(size).ok()?)?;
    let packed = crate::io::read_vec(content, at, to_usize(length)).ok()?;
    let decoded =
        DECODER.with_borrow_mut(|decoder| decoder.deflate_decompress(&packed, whole.room())).ok()?;
    whole.length = whole.length.min(decoded);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use std::io::Write as _;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_small_stream_is_decoded() {
        for text in [b"".as_slice(), b"abc", &b"manual page ".repeat(9000)] {
            assert_eq!(gzip(&packed(text)).unwrap().held(), text);
        }
    }

    #[test]
    fn everything_else_is_left_to_the_other_decoder() {
        let one = packed(b"one stream");
        let twice = [one.as_slice(), &one].concat();
        let padded = [one.as_slice(), b"\0\0\0\0\0\0\0\0"].concat();
        let mut damaged = one.clone();
        damaged[12] ^= 1;
        let large = packed(&vec![b'x'; SIZE_MAX + 1]);
        let cut = &one[..one.len() - 1];
        for bytes in [twice.as_slice(), &padded, &damaged, &large, cut, &one[..4], b""] {
            assert!(gzip(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn a_size_that_lies_gives_no_more_than_is_there() {
        let stream = packed(b"twelve bytes");
        let raw_stream = stream[10..stream.len() - 8].to_vec();
        let length = u64::try_from(raw_stream.len()).unwrap();
        let read = |size| raw(&raw_stream, 0, length, size).map(|whole| whole.held().to_vec());
        assert_eq!(read(12).unwrap(), b"twelve bytes");
        assert_eq!(read(99).unwrap(), b"twelve bytes");
        assert_eq!(read(11), None);
        assert_eq!(raw(&raw_stream, 3, length, 12).map(|_| ()), None);
    }
}
