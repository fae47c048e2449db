//! Header extensions ("Header extensions", "Feature name table").

use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;

const END: u32 = 0;
const BACKING_FORMAT: u32 = 0xe279_2aca;
const FEATURE_NAMES: u32 = 0x6803_f857;
const DATA_FILE_NAME: u32 = 0x4441_5441;

/// Extensions that are looked at; real images have four or five.
const EXTENSIONS_MAX: usize = 64;

/// What the extensions say, as far as this reader needs it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Names of incompatible features by bit.
    names: Vec<(u8, String)>,
    /// Name of the backing file's format, as the image gives it.
    backing_format: Vec<u8>,
    /// Name of the external data file, escaped.
    pub(super) data_file: Option<String>,
    pub(super) notes: Vec<String>,
}

impl Extensions {
    /// Reads the extensions from byte `start` up to the first cluster's end. They only ever name things:
    /// damage among them is a note.
    pub(super) fn read(file: &dyn ReadAt, start: u64, end: u64) -> Self {
        let mut found = Self::default();
        let end = end.min(file.size());
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        let Ok(bytes) = read_vec(file, start, length) else {
            found.notes.push("the header extensions cannot be read".to_owned());
            return found;
        };
        let mut rest = Fields::new("header extension", &bytes, start);
        for _ in 0..EXTENSIONS_MAX {
            let Some((kind, data, next)) = split(&rest) else { break };
            match kind {
                END => return found,
                BACKING_FORMAT => found.backing_format = data.to_vec(),
                FEATURE_NAMES => found.names = feature_names(data),
                DATA_FILE_NAME => found.data_file = Some(escape(data)),
                _ => {}
            }
            rest = next;
        }
        found
    }

    /// The backing file's format by this program's name; `None` where it is not declared or not known.
    pub(super) fn backing_format(&self) -> Option<&'static str> {
        match self.backing_format.as_slice() {
            b"raw" => Some("raw"),
            b"qcow2" => Some("qcow2"),
            b"vmdk" => Some("vmdk"),
            b"vdi" => Some("vdi"),
            b"vhdx" => Some("vhdx"),
            b"vpc" => Some("vhd"),
            _ => None,
        }
    }

    /// The name that the image gives to an incompatible feature, or its number.
    pub(super) fn feature_name(&self, bit: u8) -> String {
        match self.names.iter().find(|(named, _)| *named == bit) {
            Some((_, name)) => format!("bit {bit} ({name})"),
            None => format!("bit {bit}"),
        }
    }
}

/// Type and data of the first extension, and what follows it; data are padded to eight bytes.
fn split<'a>(fields: &Fields<'a>) -> Option<(u32, &'a [u8], Fields<'a>)> {
    let (kind, length) = (fields.be_u32(0).ok()?, usize::try_from(fields.be_u32(4).ok()?).ok()?);
    let data = fields.bytes(8, length).ok()?;
    let next = length.checked_next_multiple_of(8)?.checked_add(8)?;
    let rest = fields.all().get(next..).unwrap_or_default();
    Some((kind, data, Fields::new("header extension", rest, fields.offset(next))))
}

fn feature_names(data: &[u8]) -> Vec<(u8, String)> {
    let entries = data.chunks_exact(48).filter_map(|entry| {
        let (kind, bit, name) = (*entry.first()?, *entry.get(1)?, entry.get(2..)?);
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        (kind == 0 && bit < 64).then(|| (bit, escape(name)))
    });
    entries.collect()
}
