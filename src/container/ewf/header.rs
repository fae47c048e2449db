//! The header section: who made the image, with what.

use crate::location::escape;
use flate2::read::ZlibDecoder;
use std::io::Read;

/// Longest header text that is read.
const TEXT_MAX: u64 = 64 << 10;

/// The acquiring program (`av`) and its system (`ov`), where the header names them.
///
/// The text has lines: a count, `main`, names of columns with tabs between them, values. `header2` is in
/// UTF-16, `header` in bytes.
pub(super) fn creator(data: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(data).take(TEXT_MAX).read_to_end(&mut bytes).ok()?;
    let text = match bytes.strip_prefix(b"\xff\xfe") {
        Some(units) => {
            let units = units.chunks_exact(2).filter_map(|pair| pair.first_chunk().copied());
            String::from_utf16_lossy(&units.map(u16::from_le_bytes).collect::<Vec<_>>())
        }
        None => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let mut lines = text.lines().skip_while(|line| line.trim() != "main").skip(1);
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let index = names.split('\t').position(|name| name == wanted)?;
        values.split('\t').nth(index).filter(|value| !value.is_empty())
    };
    let parts: Vec<_> = [value("av"), value("ov")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| escape(parts.join(", ").as_bytes()))
}
