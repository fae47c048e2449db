//! The .xz file format (version 1.2), any number of streams.

use super::{Decoder, Form, Member, Visit};
use crate::error::Result;
use lzma_rust2::XzReader;
use std::io::Read;

/// Memory for the dictionary in KiB: that of `xz -9` and some.
const MEMORY_MAX: u32 = 96 << 10;

pub(super) const DECODER: Decoder = Decoder {
    name: "xz",
    probe: |head| head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]),
    form: Form::Stream(decode),
};

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut decoded = reader(content);
    visit(Member { name: b"", stored: None, pieces: &[], content: &mut decoded })
}

/// What the streams hold.
pub(super) fn reader<R: Read>(content: R) -> XzReader<R> {
    XzReader::new_mem_limit(content, true, MEMORY_MAX)
}
