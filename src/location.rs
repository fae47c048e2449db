//! Names of places inside an image, and how bytes of the evidence are shown to people.
//!
//! A place is written short, `p3:/etc/shadow`, or as the chain of layers that reports print,
//! `disk.qcow2 / p3 ext4 / etc/shadow @ 1204`; [`Place`] reads both.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// What owns the bytes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

/// Shows text that may hold bytes of the evidence but is not a name: only characters that could harm a
/// terminal or mislead a reader become `%XX`. Line feeds are such characters.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hostile(character) {
            let mut buffer = [0; 4];
            character.encode_utf8(&mut buffer).bytes().for_each(|byte| push_hex(&mut out, byte));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The parts of `text` without characters that could harm a terminal or mislead a reader, each followed by
/// such a character, the last one by none. For formats that have an escape of their own.
pub fn split_hostile(text: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    text.split_inclusive(is_hostile).map(|part| match part.char_indices().next_back() {
        Some((at, last)) if is_hostile(last) => (part.get(..at).unwrap_or_default(), Some(last)),
        _ => (part, None),
    })
}

/// Makes an escaped name safe to stand in a printed [`Place`]: the marks of its grammar become `%XX`.
fn guard(name: &str, out: &mut String) {
    let bytes = name.as_bytes();
    let near = |at: usize, byte: u8| at.checked_sub(1).is_some_and(|at| bytes.get(at) == Some(&byte));
    for (at, character) in name.char_indices() {
        let next = bytes.get(at.saturating_add(1)).copied();
        let marks = match character {
            ':' => true,
            ' ' => near(at, b'/') || matches!(next, Some(b'/') | None) || at == 0,
            '@' => near(at, b' '),
            '!' => matches!(next, Some(b'/') | None),
            _ => false,
        };
        match u8::try_from(character) {
            Ok(byte) if marks => push_hex(out, byte),
            _ => out.push(character),
        }
    }
}

/// An escaped path as a part of a volume's name: the marks of a [`Place`]'s grammar become `%XX`.
pub fn layer_name(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars() {
        match u8::try_from(character) {
            Ok(byte @ (b' ' | b':' | b'!' | b'@')) => push_hex(&mut out, byte),
            _ => out.push(character),
        }
    }
    out
}

/// What a place lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The virtual disk itself.
    Disk,
    /// A volume's bytes.
    Volume,
    /// An entry by its full name, as written: escaped.
    Path(String),
    /// An entry by its inode or MFT record number.
    Inode {
        /// The number.
        number: u64,
        /// Which of its former states.
        version: Option<u64>,
    },
}

/// A place inside an image, as text names it.
///
/// Short form: `[VOLUME:]/PATH[:STREAM]`, `[VOLUME:]inode:N[#FORMER][:STREAM]`, `VOLUME` or `disk`. Long form:
/// `IMAGE / VOLUME FS / PATH`, where the image's name and the file system are for people only. A path may
/// go on inside an archive after `!/`; content that no file owns is a member of the disk or a volume,
/// `disk!/gzip@4096!/notes.txt`. Both forms may end in ` @ OFFSET` or ` @ OFFSET+LENGTH`, in bytes,
/// decimal or with `0x`, and in further ranges behind commas where the bytes lie in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Volume name; absent where any volume may be meant.
    pub volume: Option<String>,
    /// What it lies in.
    pub target: Target,
    /// Stream other than the unnamed one, escaped.
    pub stream: Option<String>,
    /// Path inside an archive, escaped.
    pub member: Option<String>,
    /// First byte.
    pub offset: Option<u64>,
    /// Number of bytes.
    pub length: Option<u64>,
    /// Further ranges that follow in this order: first byte and number of bytes.
    pub more: Vec<(u64, u64)>,
}

impl Place {
    /// All bytes of a volume, or of the disk.
    pub fn bytes(volume: Option<String>) -> Self {
        let target = if volume.is_some() { Target::Volume } else { Target::Disk };
        Self { volume, target, stream: None, member: None, offset: None, length: None, more: Vec::new() }
    }

    /// Whether it may lie in a disk image in a file, as far as its text says.
    pub fn may_be_nested(&self) -> bool {
        let is_outer = match &self.volume {
            Some(volume) => !volume.contains("!/"),
            None => self.target == Target::Disk,
        };
        self.member.is_some() || !is_outer
    }

    /// Reads a place.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (text, more) = split_more(text.trim());
        let (text, offset, length) = split_range(text);
        let place = match text.split_once(" / ") {
            Some((_, inner)) => Self::parse_long(inner),
            None => Self::parse_short(text),
        }?;
        Ok(Self { offset, length, more, ..place })
    }

    /// `disk!/FORMAT@OFFSET!/MEMBER`, the same with a volume: content that no file owns, which has a path only inside.
    fn parse_carved(text: &str) -> Option<Self> {
        let (outer, member) = text.split_at(carved_at(text)?);
        let outer = Self::parse_short(outer).ok()?;
        let is_bytes = matches!(outer.target, Target::Disk | Target::Volume);
        // What follows a path is a member of that file, or of a volume of the disk that is in it.
        is_bytes.then(|| Self { member: Some(member.trim_start_matches("!/").to_owned()), ..outer })
    }

    /// `VOLUME FS / PATH`, what follows the image's name in the long form.
    fn parse_long(text: &str) -> Result<Self, String> {
        let (layer, path) = match text.split_once(" / ") {
            Some((layer, path)) => (layer, Some(path)),
            None => (text, None),
        };
        let volume = layer.split_once(' ').map_or(layer, |(volume, _)| volume).to_owned();
        match path {
            // No file system stands there, and names inside may have spaces.
            None if carved_at(text).is_some() => Self::parse_short(text),
            None => Self::parse_short(&volume),
            Some(path) if path.starts_with("inode:") => {
                Ok(Self { volume: Some(volume), ..Self::parse_entry(path)? })
            }
            Some(path) => {
                let absolute = format!("/{}", path.trim_start_matches('/'));
                Ok(Self { volume: Some(volume), ..Self::parse_entry(&absolute)? })
            }
        }
    }

    fn parse_short(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a path, inode:N, a volume or `disk`, found nothing".to_owned());
        }
        if text.starts_with('/') || text.starts_with("inode:") {
            return Self::parse_entry(text);
        }
        if let Some(carved) = Self::parse_carved(text) {
            return Ok(carved);
        }
        // A volume of a disk within another layer has that layer in its name, with a path of its own.
        let layer = text.rfind("!/").filter(|&at| {
            let rest = text.get(at..).unwrap_or_default();
            rest.contains(":/") || rest.contains(":inode:")
        });
        let from = layer.unwrap_or(0);
        let rest = text.get(from..).unwrap_or_default();
        let marks = [":/", ":inode:"].iter().filter_map(|mark| rest.find(mark));
        let inner = marks.min().and_then(|at| at.checked_add(from));
        if let Some((volume, rest)) = inner.and_then(|at| text.split_at_checked(at)) {
            let entry = Self::parse_entry(rest.trim_start_matches(':'))?;
            return Ok(Self { volume: Some(volume.to_owned()), ..entry });
        }
        Ok(Self::bytes((text != "disk").then(|| text.to_owned())))
    }

    /// `/PATH[:STREAM][!/MEMBER]` or `inode:N[:STREAM]`.
    fn parse_entry(text: &str) -> Result<Self, String> {
        let (text, member) = match text.split_once("!/") {
            Some((text, member)) => (text, Some(member.to_owned())),
            None => (text, None),
        };
        let (target, stream) = if let Some(rest) = text.strip_prefix("inode:") {
            let (text, stream) = split_stream(rest, 0);
            let (number, version) = match text.split_once('#') {
                Some((number, version)) => (number, Some(parse_number(version))),
                None => (text, None),
            };
            let known = parse_number(number).zip(version.map_or(Some(None), |version| version.map(Some)));
            let (number, version) = known.ok_or_else(|| {
                format!("expected a number after `inode:`, found `{}`", escape(text.as_bytes()))
            })?;
            (Target::Inode { number, version }, stream)
        } else {
            let (path, stream) = split_stream(text, text.rfind('/').unwrap_or(0));
            (Target::Path(path.to_owned()), stream)
        };
        Ok(Self { volume: None, target, stream, member, offset: None, length: None, more: Vec::new() })
    }
}

/// Where the first part of a place that may be such content starts, with the mark in front of it.
fn carved_at(text: &str) -> Option<usize> {
    let mut marks = text.match_indices("!/");
    let named = marks.find(|(at, mark)| {
        let behind = text.get(at.saturating_add(mark.len())..).unwrap_or_default();
        split_carved_name(behind.split("!/").next().unwrap_or_default()).is_some()
    });
    named.map(|(at, _)| at)
}

/// Splits what content that no file owns may be called, `gzip@4096`, into a format and the offset of its first byte.
pub fn split_carved_name(name: &str) -> Option<(&str, u64)> {
    let (format, at) = name.split_once('@')?;
    let is_number = at.bytes().all(|byte| byte.is_ascii_digit());
    let is_format = format.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Some((format, at.parse().ok().filter(|_| is_number && is_format)?))
}

/// Cuts a stream's name off behind the first `:` from byte `from` on.
fn split_stream(text: &str, from: usize) -> (&str, Option<String>) {
    let colon = text.get(from..).and_then(|rest| rest.find(':')).map(|at| from.saturating_add(at));
    match colon.and_then(|at| text.split_at_checked(at)) {
        Some((before, stream)) => {
            (before, stream.get(1..).filter(|name| !name.is_empty()).map(str::to_owned))
        }
        None => (text, None),
    }
}

/// Cuts further ranges off the end: `,OFFSET+LENGTH` behind ` @ OFFSET+LENGTH`.
fn split_more(text: &str) -> (&str, Vec<(u64, u64)>) {
    let range = |range: &str| {
        let (offset, length) = range.split_once('+')?;
        parse_number(offset).zip(parse_number(length))
    };
    let split = || {
        let at = text.rfind(" @ ").map(|at| at.saturating_add(3)).or(text.starts_with("@ ").then_some(2))?;
        let comma = at.saturating_add(text.get(at..)?.find(',')?);
        range(text.get(at..comma)?)?;
        let more = text.get(comma.saturating_add(1)..)?.split(',').map(range).collect::<Option<_>>()?;
        Some((text.get(..comma)?, more))
    };
    split().unwrap_or((text, Vec::new()))
}

/// Cuts ` @ OFFSET[+LENGTH]` off the end; `@ OFFSET` alone is the whole text of a place on the disk.
fn split_range(text: &str) -> (&str, Option<u64>, Option<u64>) {
    let Some((before, range)) = text.rsplit_once(" @ ").or_else(|| Some(("disk", text.strip_prefix("@ ")?)))
    else {
        return (text, None, None);
    };
    let (offset, length) = match range.split_once('+') {
        Some((offset, length)) => (parse_number(offset), parse_number(length)),
        None => (parse_number(range), None),
    };
    if offset.is_none() || (range.contains('+') && length.is_none()) {
        return (text, None, None);
    }
    (before.trim_end(), offset, length)
}

/// A decimal number, or a hexadecimal one behind `0x`.
fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The parts of the long form; its `Display` is what [`Place::parse`] reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain<'a> {
    /// The image's file name, escaped.
    pub image: &'a str,
    /// Volume.
    pub volume: &'a str,
    /// File system.
    pub fs: Option<&'a str>,
    /// Full name of the entry, escaped.
    pub path: Option<&'a str>,
    /// Number of the entry, used where it has no name.
    pub inode: Option<u64>,
    /// Which former state of the entry.
    pub version: Option<u64>,
    /// Stream, escaped.
    pub stream: Option<&'a str>,
    /// Path inside an archive, escaped.
    pub member: Option<&'a str>,
    /// First byte, in the innermost layer.
    pub offset: Option<u64>,
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        guard(self.image, &mut line);
        write!(line, " / {}", self.volume)?;
        if let Some(fs) = self.fs {
            write!(line, " {fs}")?;
        }
        match (self.path, self.inode) {
            (Some(path), _) => {
                line.push_str(" / ");
                // The root directory is all slash.
                guard(if path == "/" { path } else { path.trim_start_matches('/') }, &mut line);
            }
            (None, Some(inode)) => {
                write!(line, " / inode:{inode}")?;
                if let Some(version) = self.version {
                    write!(line, "#{version}")?;
                }
            }
            (None, None) => {}
        }
        if let Some(stream) = self.stream {
            write!(line, ":{stream}")?;
        }
        if let Some(member) = self.member {
            line.push_str("!/");
            let carved = member.split_once("!/").filter(|(name, _)| split_carved_name(name).is_some());
            if let Some((name, _)) = carved {
                write!(line, "{name}!/")?;
            }
            guard(carved.map_or(member, |(_, inside)| inside).trim_start_matches('/'), &mut line);
        }
        if let Some(offset) = self.offset {
            write!(line, " @ {offset}")?;
        }
        f.write_str(&line)
    }
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

    fn path(volume: Option<&str>, path: &str) -> Place {
        let target = Target::Path(path.to_owned());
        let volume = volume.map(str::to_owned);
        Place { volume, target, stream: None, member: None, offset: None, length: None, more: Vec::new() }
    }

    #[test]
    fn short_and_long_forms_name_the_same_place() {
        let shadow = path(Some("p3"), "/etc/shadow");
        let at = |offset, length, place: &Place| Place { offset, length, ..place.clone() };
        let stream = |stream: &str, place: &Place| Place { stream: Some(stream.to_owned()), ..place.clone() };
        let inode = Place { target: Target::Inode { number: 12, version: None }, ..path(None, "") };
        let former = Place { target: Target::Inode { number: 12, version: Some(2) }, ..path(None, "") };
        let volume = Place { target: Target::Volume, ..path(Some("p3"), "") };
        let disk = Place { target: Target::Disk, ..path(None, "") };
        let logical = path(Some("lvm:vg/root"), "/etc/shadow");
        let nested = path(Some("p3:/vm.qcow2!/p1"), "/etc/shadow");
        let member = Place { member: Some("a/b.txt".to_owned()), ..path(Some("p3"), "/srv/x.jar") };
        let carved =
            |outer: &Place| Place { member: Some("gzip@4096!/a b%21/c".to_owned()), ..outer.clone() };
        let in_nested =
            Place { member: Some("p1!/gzip@4096!/a b".to_owned()), ..path(Some("p3"), "/vm.qcow2") };
        let like_carved = Place { member: Some("gzip@4096!/b".to_owned()), ..path(Some("p3"), "/srv/x.tar") };
        let cases = [
            ("p3:/etc/shadow", shadow.clone()),
            ("disk.qcow2 / p3 ext4 / etc/shadow", shadow.clone()),
            ("a b.qcow2 / p3 ext4 / etc/shadow @ 1204", at(Some(1204), None, &shadow)),
            ("p3:/etc/shadow @ 0x10+32", at(Some(16), Some(32), &shadow)),
            ("disk!/gzip@4096!/a b%21/c", carved(&disk)),
            ("d.qcow2 / disk!/gzip@4096!/a b%21/c @ 7", at(Some(7), None, &carved(&disk))),
            ("p3!/gzip@4096!/a b%21/c", carved(&volume)),
            ("p3:/vm.qcow2!/p1!/gzip@4096!/a b", in_nested.clone()),
            ("d.raw / p3:/vm.qcow2!/p1!/gzip@4096!/a b", in_nested),
            ("p3:/srv/x.tar!/gzip@4096!/b", like_carved),
            ("/etc/shadow", path(None, "/etc/shadow")),
            ("/a b/c @ home", path(None, "/a b/c @ home")),
            ("p3:/f:Zone.Identifier", stream("Zone.Identifier", &path(Some("p3"), "/f"))),
            ("p3:/f:xattr:user.x @ 1", stream("xattr:user.x", &at(Some(1), None, &path(Some("p3"), "/f")))),
            ("inode:12", inode.clone()),
            ("inode:12#2", former.clone()),
            (
                "d / p3 ext4 / inode:12#2:s",
                Place { volume: Some("p3".to_owned()), stream: Some("s".to_owned()), ..former },
            ),
            ("p3:inode:12:s", stream("s", &Place { volume: Some("p3".to_owned()), ..inode.clone() })),
            ("d / p3 ntfs / inode:12", Place { volume: Some("p3".to_owned()), ..inode }),
            ("p3", volume.clone()),
            ("d / p3 ext4 @ 5", at(Some(5), None, &volume)),
            ("disk @ 512+2", at(Some(512), Some(2), &disk)),
            ("d / disk @ 512", at(Some(512), None, &disk)),
            (
                "d / disk @ 512+2,0x400+3,7+1",
                Place { more: vec![(1024, 3), (7, 1)], ..at(Some(512), Some(2), &disk) },
            ),
            ("/a @ 1,2", path(None, "/a @ 1,2")),
            ("/a @ 1+2,x", path(None, "/a @ 1+2,x")),
            ("@ 512", at(Some(512), None, &disk)),
            ("lvm:vg/root:/etc/shadow", logical.clone()),
            ("d / lvm:vg/root xfs / etc/shadow", logical),
            ("d / p3 ext4 / srv/x.jar!/a/b.txt", member),
            ("p3:/vm.qcow2!/p1:/etc/shadow", nested.clone()),
            ("d / p3:/vm.qcow2!/p1 ext4 / etc/shadow", nested),
        ];
        for (text, place) in cases {
            assert_eq!(Place::parse(text), Ok(place), "{text}");
        }
        for text in ["disk @ 5", "p1", "p1 @ 5", "p1:/etc/x", "d / p1 ext4 / inode:7:xattr:user.x"] {
            assert!(!Place::parse(text).unwrap().may_be_nested(), "{text}");
        }
        for text in
            ["/etc/x", "inode:7", "p1:/x.img!/p1", "p1:/x.img!/p1:/etc/x", "disk!/zip@512!/x", "p1:/x.zip!/y"]
        {
            assert!(Place::parse(text).unwrap().may_be_nested(), "{text}");
        }
        assert!(Place::parse("").is_err());
        for wrong in ["inode:x", "inode:1#", "inode:#1", "inode:1#x"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        let chain = Chain { image: "d", volume: "p1", inode: Some(12), version: Some(2), ..Chain::default() };
        assert_eq!(chain.to_string(), "d / p1 / inode:12#2");
        let chain = Chain {
            image: "d",
            volume: "disk",
            member: Some("zip@512!/a!/b"),
            offset: Some(7),
            ..Chain::default()
        };
        assert_eq!(chain.to_string(), "d / disk!/zip@512!/a%21/b @ 7");
    }

    #[test]
    fn printed_places_parse_back_whatever_the_names_are() {
        let names = ["/etc/shadow", "/a / b", "/a: b", "/x!/y", "/ lead", "/trail ", "/c @ 12", "/%25:", "/"];
        for name in names {
            let chain = Chain {
                image: "a / b:c @ 1.raw",
                volume: "p3",
                fs: Some("ext4"),
                path: Some(name),
                ..Chain::default()
            };
            for (stream, offset) in [(None, None), (Some("s"), Some(12))] {
                let printed = Chain { stream, offset, ..chain }.to_string();
                let place = Place::parse(&printed).unwrap();
                let Target::Path(path) = &place.target else { panic!("{printed}: {place:?}") };
                assert_eq!(unescape(path), unescape(name), "{printed}");
                assert_eq!((place.stream.as_deref(), place.offset), (stream, offset), "{printed}");
            }
        }
    }
}
