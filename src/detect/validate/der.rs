//! The little of DER (X.690) that key files need.

/// An element: its tag, its content, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) rest: &'a [u8],
    /// Content length as the header promises it; `content` is shorter where the input breaks off.
    pub(crate) promised: usize,
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

impl<'a> Element<'a> {
    /// The element at the start of `bytes`, short-tag and definite-length forms only. None where there is no
    /// element; content may be cut off.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, after_tag) = bytes.split_first()?;
        let (&first, after_first) = after_tag.split_first()?;
        let (promised, body) = if first < 0x80 {
            (usize::from(first), after_first)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 || tag & 0x1f == 0x1f {
                return None;
            }
            let (digits, body) = after_first.split_at_checked(count)?;
            (digits.iter().fold(0_usize, |sum, &digit| sum << 8 | usize::from(digit)), body)
        };
        let len = promised.min(body.len());
        let (content, rest) = body.split_at_checked(len)?;
        Some(Self { tag, content, rest, promised })
    }

    /// The element at the start of `bytes`, complete and with this tag.
    pub(crate) fn expect(bytes: &'a [u8], tag: u8) -> Option<Self> {
        Self::read(bytes).filter(|element| element.tag == tag && element.is_whole())
    }

    /// Whether all of its content is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.content.len() == self.promised
    }

    /// All elements of its content, as long as they are complete.
    pub(crate) fn children(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let mut rest = self.content;
        std::iter::from_fn(move || {
            let element = Element::read(rest).filter(Element::is_whole)?;
            rest = element.rest;
            Some(element)
        })
    }
}

/// An unsigned number without its leading zeros.
pub(crate) fn magnitude(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

/// Length of an unsigned number in bits.
pub(crate) fn bit_len(number: &[u8]) -> usize {
    let number = magnitude(number);
    let first = number.first().map_or(0, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(first).unwrap_or(0))
}
