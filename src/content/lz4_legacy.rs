//! LZ4 in its older frame ("legacy frame" of the LZ4 Frame Format Description 1.6), as `lz4 -l` and the tools that
//! make initial RAM disks write it: blocks of 8 MiB, each with its packed length before it.

use super::peek::{Peek, Single, visit_joined};
use super::{Decoder, Form, to_usize};
use std::io::{Error, ErrorKind, Read, Result};

const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// Bytes that a block unpacks to, fewer only in the last one.
const BLOCK: usize = 8 << 20;
/// Longest packed block: what cannot be packed becomes this much longer.
const PACKED_MAX: usize = BLOCK + BLOCK / 255 + 16;
/// Bytes that each packed byte may stand for, and one more.
const RATIO_MAX: usize = 256;

pub(super) const DECODER: Decoder = Decoder {
    name: "lz4",
    probe: Legacy::starts,
    form: Form::Stream(|content, visit| visit_joined::<Legacy<'_>>(content, visit)),
};

/// One frame.
struct Legacy<'a> {
    source: Peek<'a>,
    packed: Vec<u8>,
    block: Vec<u8>,
    /// Bytes of the block that were read.
    taken: usize,
    /// Whether the last block was a full one, so that another may follow.
    goes_on: bool,
}

impl<'a> Single<'a> for Legacy<'a> {
    const PEEKED: usize = 4;

    fn starts(head: &[u8]) -> bool {
        head.starts_with(&MAGIC)
    }

    fn open(mut source: Peek<'a>) -> Result<Self> {
        source.read_exact(&mut [0; 4])?;
        Ok(Self { source, packed: Vec::new(), block: Vec::new(), taken: 0, goes_on: true })
    }

    fn close(self) -> Peek<'a> {
        self.source
    }
}

impl Legacy<'_> {
    /// Unpacks the next block; `false` behind the last one, which the length of what follows tells: the magic of
    /// another frame, or what is too long to be a block.
    fn next(&mut self) -> Result<bool> {
        let Some(&length) = self.source.peek(4)?.first_chunk::<4>() else { return Ok(false) };
        let size = to_usize(u64::from(u32::from_le_bytes(length)));
        if !self.goes_on || length == MAGIC || size == 0 || size > PACKED_MAX {
            return Ok(false);
        }
        self.source.read_exact(&mut [0; 4])?;
        self.packed.clear();
        let limit = u64::from(u32::from_le_bytes(length));
        let got = (&mut self.source).take(limit).read_to_end(&mut self.packed)?;
        if got < size {
            return Err(Error::new(ErrorKind::UnexpectedEof, "a block that is cut"));
        }
        // No byte of a block stands for more than 255, so that short blocks cost little.
        self.block.resize(size.saturating_mul(RATIO_MAX).min(BLOCK), 0);
        let unpacked = lz4_flex::block::decompress_into(&self.packed, &mut self.block);
        let length = unpacked.map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))?;
        self.block.truncate(length);
        (self.taken, self.goes_on) = (0, length == BLOCK);
        Ok(true)
    }
}

impl Read for Legacy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.taken >= self.block.len() && !self.next()? {
            return Ok(0);
        }
        let rest = self.block.get(self.taken..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken = self.taken.saturating_add(length);
        Ok(length)
    }
}
