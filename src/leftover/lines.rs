//! Lines of a file with their places.

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Number, from 1.
    pub(crate) number: u64,
    /// Offset of its first byte in the file.
    pub(crate) offset: u64,
    /// The bytes, without LF and CR.
    pub(crate) bytes: &'a [u8],
}

impl Line<'_> {
    /// Place for a report.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.offset, self.number)
    }
}

/// The lines of `content`, empty ones included; nothing follows a final line end.
pub(crate) fn lines(content: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut offset = 0_u64;
    content.split_inclusive(|&byte| byte == b'\n').zip(1..).map(move |(raw, number)| {
        let line = Line { number, offset, bytes: trim_end(raw) };
        offset = offset.saturating_add(u64::try_from(raw.len()).unwrap_or(0));
        line
    })
}

fn trim_end(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// Offset and line of a byte of `content`.
pub(crate) fn place_of(content: &[u8], at: usize) -> (u64, u64) {
    let before = content.get(..at).unwrap_or(content);
    let line = before.iter().filter(|&&byte| byte == b'\n').count();
    let widen = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    (widen(at), widen(line).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_their_number_and_offset() {
        let all: Vec<_> = lines(b"a\r\n\nb").map(|l| (l.number, l.offset, l.bytes.to_vec())).collect();
        assert_eq!(all, [(1, 0, b"a".to_vec()), (2, 3, vec![]), (3, 4, b"b".to_vec())]);
        assert_eq!(place_of(b"a\nbc", 3), (3, 2));
    }
}
