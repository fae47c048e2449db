//! Text of Windows: UTF-8 or UTF-16 with a byte order mark, turned into one form.

use std::borrow::Cow;

/// The text of a file as UTF-8; what cannot be decoded becomes U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let units = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(read).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(units(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(units(rest, u16::from_be_bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [first, 0, ..] if *first != 0 => Cow::Owned(units(bytes, u16::from_le_bytes)),
        _ => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_byte_order_marks_give_the_same_text() {
        let forms: [&[u8]; 5] = [b"ab", b"\xef\xbb\xbfab", b"\xff\xfea\0b\0", b"\xfe\xff\0a\0b", b"a\0b\0"];
        for form in forms {
            assert_eq!(decode(form), "ab", "{form:?}");
        }
    }
}
