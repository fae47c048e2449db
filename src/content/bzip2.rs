//! Bzip2, any number of streams one after the other.

use super::peek::{Peek, Single, visit_joined};
use super::{Decoder, Form};
use bzip2::bufread::BzDecoder;

pub(super) const DECODER: Decoder = Decoder {
    name: "bzip2",
    probe: BzDecoder::<Peek<'_>>::starts,
    form: Form::Stream(|content, visit| visit_joined::<BzDecoder<Peek<'_>>>(content, visit)),
};

impl<'a> Single<'a> for BzDecoder<Peek<'a>> {
    const PEEKED: usize = 10;

    fn starts(head: &[u8]) -> bool {
        /// The first block's magic, or that of an empty stream's end.
        const NEXT: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];
        head.starts_with(b"BZh")
            && matches!(head.get(3), Some(b'1'..=b'9'))
            && head.get(4..10).is_some_and(|magic| NEXT.contains(&magic))
    }

    fn open(source: Peek<'a>) -> std::io::Result<Self> {
        Ok(Self::new(source))
    }

    fn close(self) -> Peek<'a> {
        self.into_inner()
    }
}
