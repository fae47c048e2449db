//! Zstandard (RFC 8878): frames and skippable frames, any number of each.

use super::peek::{Peek, Single, visit_joined};
use super::{Decoder, Form};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::Read;

/// Largest window: what the command's own `--long` asks for.
const WINDOW_MAX: u64 = 128 << 20;
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

pub(super) const DECODER: Decoder = Decoder {
    name: "zstd",
    probe: Frame::starts,
    form: Form::Stream(|c, v| visit_joined::<Frame<'_>>(c, v)),
};

/// One frame.
pub(super) enum Frame<'a> {
    Data(Box<StreamingDecoder<Peek<'a>, FrameDecoder>>),
    /// A skippable frame, which holds nothing.
    Skipped(Peek<'a>),
}

impl Read for Frame<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Data(decoder) => decoder.read(buffer),
            Self::Skipped(_) => Ok(0),
        }
    }
}

impl<'a> Single<'a> for Frame<'a> {
    const PEEKED: usize = 8;

    fn starts(head: &[u8]) -> bool {
        head.starts_with(&FRAME) || is_skippable(head)
    }

    fn open(mut source: Peek<'a>) -> std::io::Result<Self> {
        if is_skippable(source.peek(4)?) {
            let mut header = [0; 8];
            source.read_exact(&mut header)?;
            let [.., a, b, c, d] = header;
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            std::io::copy(&mut source.by_ref().take(length), &mut std::io::sink())?;
            return Ok(Self::Skipped(source));
        }
        reader(source).map(|decoder| Self::Data(Box::new(decoder)))
    }

    fn close(self) -> Peek<'a> {
        match self {
            Self::Data(decoder) => decoder.into_inner(),
            Self::Skipped(source) => source,
        }
    }
}

/// What the first frame holds.
///
/// # Errors
/// When its header is wrong.
pub(super) fn reader<R: Read>(content: R) -> std::io::Result<StreamingDecoder<R, FrameDecoder>> {
    StreamingDecoder::new_with_max_window_size(content, WINDOW_MAX).map_err(std::io::Error::other)
}

fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}
