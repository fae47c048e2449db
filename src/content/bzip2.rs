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

#[cfg(test)]
mod tests {
    use crate::content::{Limits, decode, recognise};

    #[test]
    fn what_is_damaged_is_not_read_on() {
        // In a 7z archive, whose reader passes over the rest of a member; a block that uses no byte at all.
        let archive = include_bytes!("../../testdata/content/bzip2-no-byte-used.7z").to_vec();
        let mut failed = 0;
        decode(&archive, recognise(&archive).unwrap(), &Limits::default(), &mut |_, reader| {
            failed += usize::from(reader.read_to_end(&mut Vec::new()).is_err());
            Ok(())
        });
        assert!(failed > 0);
    }

    #[test]
    fn a_code_length_below_zero_is_damage() {
        // In a 7z archive; the coding table counts down from 1 to 0 and on, where an unsigned byte wraps around.
        let archive = include_bytes!("../../testdata/content/bzip2-length-below-zero.7z").to_vec();
        let cuts = decode(&archive, recognise(&archive).unwrap(), &Limits::default(), &mut |_, reader| {
            reader.read_to_end(&mut Vec::new()).map(drop).map_err(crate::content::decode_error)
        });
        assert!(cuts.iter().any(|cut| cut.error.to_string().contains("bzip2")), "{cuts:?}");
    }
}
