//! LZ4 frames (LZ4 Frame Format Description 1.6), any number of them.

use super::peek::{Peek, Single, visit_joined};
use super::{Decoder, Form};
use lz4_flex::frame::FrameDecoder;

pub(super) const DECODER: Decoder = Decoder {
    name: "lz4",
    probe: FrameDecoder::<Peek<'_>>::starts,
    form: Form::Stream(|content, visit| visit_joined::<FrameDecoder<Peek<'_>>>(content, visit)),
};

impl<'a> Single<'a> for FrameDecoder<Peek<'a>> {
    const PEEKED: usize = 4;

    fn starts(head: &[u8]) -> bool {
        head.starts_with(&[0x04, 0x22, 0x4d, 0x18])
    }

    fn open(source: Peek<'a>) -> std::io::Result<Self> {
        Ok(Self::new(source))
    }

    fn close(self) -> Peek<'a> {
        self.into_inner()
    }
}
