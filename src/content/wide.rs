//! Text in UTF-16 as text of one byte a character, so that it is looked at like any other.

use std::ops::Range;

/// Bytes of a unit.
pub(super) const UNIT: usize = 2;
/// What stands for a unit that is no character of one byte.
const OTHER: u8 = 0xff;
/// Units by which text in UTF-16 is known.
const KNOWN_BY: usize = 4;

/// Order of the bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    fn character(self, unit: [u8; UNIT]) -> u8 {
        u8::try_from(match self {
            Self::Little => u16::from_le_bytes(unit),
            Self::Big => u16::from_be_bytes(unit),
        })
        .unwrap_or(OTHER)
    }
}

/// The unit that `at` lies in, if text in UTF-16 starts there all of whose characters `is_in`, and its byte order.
/// Units start at even offsets of their content, in which the first of the bytes has the offset `base`.
pub(super) fn unit_at(
    bytes: &[u8],
    at: usize,
    base: u64,
    is_in: impl Fn(u8) -> bool,
) -> Option<(usize, Order)> {
    let is_start = base.is_multiple_of(2) == at.is_multiple_of(2);
    let start = if is_start { at } else { at.checked_sub(1).unwrap_or(1) };
    let (units, _) = bytes.get(start..start.checked_add(KNOWN_BY * UNIT)?)?.as_chunks::<UNIT>();
    let is_text = |order: &Order| units.iter().all(|&unit| is_in(order.character(unit)));
    [Order::Little, Order::Big].into_iter().find(is_text).map(|order| (start, order))
}

/// The characters of the units in `range`, one byte each.
pub(super) fn narrow(bytes: &[u8], range: Range<usize>, order: Order) -> Vec<u8> {
    let (units, _) = bytes.get(range).unwrap_or_default().as_chunks::<UNIT>();
    units.iter().map(|&unit| order.character(unit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_in_both_byte_orders() {
        let text = "\u{4e2d}QUJDRA==\u{442d}";
        for (order, bytes_of) in
            [(Order::Little, u16::to_le_bytes as fn(u16) -> [u8; 2]), (Order::Big, u16::to_be_bytes)]
        {
            for base in [0, 1] {
                let odd = usize::try_from(base).unwrap();
                let mut bytes = vec![0xfe; odd];
                bytes.extend(text.encode_utf16().flat_map(bytes_of));
                let first = odd + 2;
                for at in [first, first + 1] {
                    let found = unit_at(&bytes, at, base, |byte| byte.is_ascii_alphanumeric());
                    assert_eq!(found, Some((first, order)));
                    assert_eq!(unit_at(&bytes, at, base, |byte| byte.is_ascii_digit()), None);
                }
                let all = narrow(&bytes, odd..bytes.len(), order);
                assert_eq!(all, b"\xffQUJDRA==\xff");
            }
        }
        for bytes in [&b"QUJDRA=="[..], b"Q\0U\0", b""] {
            assert_eq!(unit_at(bytes, 0, 0, |byte| byte.is_ascii()), None, "{bytes:?}");
        }
    }
}
