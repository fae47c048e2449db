//! The segments of an image in order, and what their sections say.

use super::chunks::{Table, Volume};
use super::header;
use super::section::{Section, sections, segment_number};
use crate::container::reference::sibling;
use crate::container::{OpenOptions, Unresolved};
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Segments of one image at most: `.E01` to `.EZZ`, and on to `.ZZZ`.
const SEGMENTS_MAX: u32 = 14_971;
/// Longest section that is read whole; tables are not.
const DATA_MAX: u64 = 1 << 20;

/// Everything that the segments say.
#[derive(Default)]
pub(super) struct Segments {
    pub(super) files: Vec<Arc<dyn ReadAt>>,
    pub(super) volume: Option<Volume>,
    pub(super) tables: Vec<Table>,
    pub(super) identifiers: Vec<(String, String)>,
    pub(super) creator: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) unread: Vec<String>,
}

impl Segments {
    /// Reads the first segment and its siblings as far as they go.
    ///
    /// # Errors
    /// Where the first one is not a first one, or a further one is needed and the caller refuses gaps.
    pub(super) fn read(first: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Self> {
        let mut found = Self::default();
        let mut file = first;
        for number in 1..=SEGMENTS_MAX {
            let stated = segment_number(file.as_ref())?;
            if u32::from(stated) != number {
                return Err(Error::corrupt(9, "number of the EWF segment", number, stated));
            }
            if !found.read_segment(file)? {
                return Ok(found);
            }
            match next_file(options, number.saturating_add(1)) {
                Ok(next) => file = next,
                Err(error)
                    if options.unresolved == Unresolved::Gap
                        && matches!(error.kind(), Kind::MissingParent | Kind::RefusedReference) =>
                {
                    found.unread.push(format!("segment {}: {error}", number.saturating_add(1)));
                    return Ok(found);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(Kind::LimitExceeded, format!("more than {SEGMENTS_MAX} segments")))
    }

    /// Reads one segment; says whether another one follows.
    fn read_segment(&mut self, file: Arc<dyn ReadAt>) -> Result<bool> {
        let number = self.files.len();
        let sections = sections(file.as_ref());
        let mut stored_end = 0;
        let mut mirror_of: Option<usize> = None;
        for section in &sections.list {
            match section.kind.as_str() {
                "volume" | "disk" if self.volume.is_none() => {
                    let bytes = data(file.as_ref(), section)?;
                    self.volume = Some(Volume::read(&Fields::new("EWF volume", &bytes, section.data.start))?);
                }
                "sectors" => stored_end = section.data.end,
                "table" => {
                    let end = if stored_end == 0 { section.data.end } else { stored_end };
                    mirror_of = Some(self.tables.len());
                    self.add_table(file.as_ref(), number, section, end);
                }
                "table2" => {
                    let table = mirror_of.take().and_then(|index| self.tables.get_mut(index));
                    if let Some(table) = table.filter(|table| !table.is_intact()) {
                        table.replace(file.as_ref(), section, &mut self.notes);
                    }
                }
                "header" | "header2" if self.creator.is_none() => {
                    self.creator =
                        data(file.as_ref(), section).ok().and_then(|bytes| header::creator(&bytes));
                }
                "hash" | "digest" => self.add_digests(&data(file.as_ref(), section).unwrap_or_default()),
                "error2" => self.unread.extend(bad_sectors(file.as_ref(), section)),
                _ => {}
            }
        }
        let another = sections.list.last().is_some_and(|section| section.kind == "next");
        if let Some(error) = sections.error {
            self.unread.push(format!("segment {} breaks off: {error}", number.saturating_add(1)));
        }
        self.files.push(file);
        Ok(another)
    }

    fn add_table(&mut self, file: &dyn ReadAt, number: usize, section: &Section, end: u64) {
        let first = self.tables.last().map_or(0, Table::end);
        match Table::read(file, number, section, first, end) {
            Ok(table) => self.tables.push(table),
            Err(error) => self.unread.push(format!("a table of chunks: {error}")),
        }
    }

    /// MD5, and SHA-1 behind it, as the program that made the image computed them.
    fn add_digests(&mut self, bytes: &[u8]) {
        let named = [("md5", bytes.get(..16)), ("sha1", bytes.get(16..36))];
        for (name, digest) in named {
            let digest = digest.filter(|digest| digest.iter().any(|&byte| byte != 0));
            let known = self.identifiers.iter().any(|(known, _)| known == name);
            // The hash section has a checksum where the digest section has the start of a SHA-1.
            if let Some(digest) = digest.filter(|_| !known && (name == "md5" || bytes.len() >= 80)) {
                self.identifiers.push((name.to_owned(), data_encoding::HEXLOWER.encode(digest)));
            }
        }
    }
}

fn data(file: &dyn ReadAt, section: &Section) -> Result<Vec<u8>> {
    let length = section.data.end.saturating_sub(section.data.start).min(DATA_MAX);
    read_vec(file, section.data.start, usize::try_from(length).unwrap_or(0))
}

/// What the acquiring program could not read; the image has filler there.
fn bad_sectors(file: &dyn ReadAt, section: &Section) -> Option<String> {
    let bytes = data(file, section).ok()?;
    let fields = Fields::new("EWF bad sectors", &bytes, section.data.start);
    let count = fields.le_u32(0).ok().filter(|&count| count > 0)?;
    let (first, length) = (fields.le_u32(520).ok()?, fields.le_u32(524).ok()?);
    Some(format!(
        "{count} ranges of sectors could not be read when the image was made, the first at sector {first} with \
         {length} sectors"
    ))
}

/// Opens segment number `number`, which lies beside the first one.
fn next_file(options: &OpenOptions, number: u32) -> Result<Arc<dyn ReadAt>> {
    let name = options.path.as_ref().and_then(|path| path.file_name()).map(OsStrExt::as_bytes);
    let name = name.and_then(|name| segment_name(name, number)).ok_or_else(|| {
        let message =
            format!("segment {number} is needed; the first one's name does not end in .E01 or .s01");
        Error::new(Kind::MissingParent, message)
    })?;
    sibling(options, &name)
}

/// `.E01` … `.E99`, `.EAA`, `.EAB` … `.EZZ`, `.FAA` … in the case of the first one.
fn segment_name(first: &[u8], number: u32) -> Option<Vec<u8>> {
    let (stem, extension) = first.split_at_checked(first.len().checked_sub(3)?)?;
    let [letter, b'0', b'1'] = extension else { return None };
    if !letter.is_ascii_alphabetic() {
        return None;
    }
    let extension = match number.checked_sub(100) {
        None => format!("{}{number:02}", char::from(*letter)).into_bytes(),
        Some(beyond) => {
            let base = if letter.is_ascii_uppercase() { b'A' } else { b'a' };
            let place = |value: u32| u8::try_from(value % 26).ok()?.checked_add(base);
            let steps = u8::try_from(beyond / 676).ok()?;
            let head = letter.checked_add(steps).filter(u8::is_ascii_alphabetic)?;
            vec![head, place(beyond / 26)?, place(beyond)?]
        }
    };
    Some([stem, extension.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::segment_name;

    #[test]
    fn segments_are_named_as_other_programs_name_them() {
        let cases: [(&str, u32, Option<&str>); 9] = [
            ("a.E01", 2, Some("a.E02")),
            ("a.E01", 99, Some("a.E99")),
            ("a.E01", 100, Some("a.EAA")),
            ("a.e01", 101, Some("a.eab")),
            ("a.E01", 126, Some("a.EBA")),
            ("a.E01", 775, Some("a.EZZ")),
            ("a.s01", 776, Some("a.taa")),
            ("a.E01", 14_972, None),
            ("a.img", 2, None),
        ];
        for (first, number, expected) in cases {
            let name = segment_name(first.as_bytes(), number);
            assert_eq!(name.as_deref(), expected.map(str::as_bytes), "{first} {number}");
        }
    }
}
