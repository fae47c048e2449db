//! Names of places inside an image, and how bytes of the evidence are shown to people.

use serde::Serialize;
use std::fmt::Write as _;

/// What owns the bytes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Content of a file in use.
    Allocated,
    /// Content of a deleted file.
    Deleted,
    /// Content of a file in use without a name.
    Orphan,
    /// Between the end of a file and the end of its last allocation unit.
    Slack,
    /// Reserved but unwritten blocks, and home blocks that a journal supersedes.
    Stale,
    /// Free space of a file system.
    Unallocated,
    /// A file system's journal.
    Journal,
    /// Swap space.
    Swap,
    /// Tables of a file system or volume system.
    Metadata,
    /// No volume claims it.
    Unpartitioned,
    /// Bytes of the container that are not part of the virtual disk.
    Container,
}

/// Shows bytes from the evidence: valid UTF-8 stays, control characters, invalid bytes and `%` become `%XX`.
///
/// The result holds no control character and no bidirectional override, and [`unescape`] gives the bytes
/// back unchanged.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || is_hostile(character) {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    push_hex(&mut out, byte);
                }
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, *byte);
        }
    }
    out
}

/// Characters that move a terminal's cursor, change its direction or cannot be seen.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{061c}' | '\u{e0000}'..='\u{e007f}'
        )
}

fn push_hex(out: &mut String, byte: u8) {
    write!(out, "%{byte:02X}").unwrap_or_default();
}

/// The bytes that [`escape`] showed. A `%` that no two hexadecimal digits follow stands for itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_come_back_unchanged_and_hold_no_control_character() {
        let cases: [&[u8]; 6] = [
            b"/etc/passwd",
            b"50%",
            b"\x1b[2J",
            b"\xff\xfe",
            "\u{202e}gpj.exe".as_bytes(),
            "日本語%41".as_bytes(),
        ];
        for case in cases {
            let shown = escape(case);
            assert!(!shown.chars().any(is_hostile), "{shown}");
            assert_eq!(unescape(&shown), case, "{shown}");
        }
    }
}
