//! Attribute records: header, name, and the resident or non-resident form (`ATTRIBUTE_RECORD_HEADER`).

use super::name::{self, Utf16};
use crate::error::{Error, Result};
use crate::io::Fields;

/// Attribute type codes (`$AttrDef`).
pub(super) mod code {
    pub(in super::super) const STANDARD_INFORMATION: u32 = 0x10;
    pub(in super::super) const ATTRIBUTE_LIST: u32 = 0x20;
    pub(in super::super) const FILE_NAME: u32 = 0x30;
    pub(in super::super) const VOLUME_NAME: u32 = 0x60;
    pub(in super::super) const VOLUME_INFORMATION: u32 = 0x70;
    pub(in super::super) const DATA: u32 = 0x80;
    pub(in super::super) const REPARSE_POINT: u32 = 0xc0;
    pub(in super::super) const EA: u32 = 0xe0;
    pub(in super::super) const LOGGED_UTILITY_STREAM: u32 = 0x100;
    /// Marks the end of a record's attributes.
    pub(in super::super) const END: u32 = 0xffff_ffff;
}

/// Low byte of the flags: compressed, and how (1 = LZNT1).
pub(super) const COMPRESSED: u16 = 0x00ff;
/// Flag: encrypted by EFS.
pub(super) const ENCRYPTED: u16 = 0x4000;

/// The name of an attribute type, as `$AttrDef` gives it.
pub(super) fn type_name(code: u32) -> String {
    let name = match code {
        0x10 => "$STANDARD_INFORMATION",
        0x20 => "$ATTRIBUTE_LIST",
        0x30 => "$FILE_NAME",
        0x40 => "$OBJECT_ID",
        0x50 => "$SECURITY_DESCRIPTOR",
        0x60 => "$VOLUME_NAME",
        0x70 => "$VOLUME_INFORMATION",
        0x80 => "$DATA",
        0x90 => "$INDEX_ROOT",
        0xa0 => "$INDEX_ALLOCATION",
        0xb0 => "$BITMAP",
        0xc0 => "$REPARSE_POINT",
        0xd0 => "$EA_INFORMATION",
        0xe0 => "$EA",
        0xf0 => "$PROPERTY_SET",
        0x100 => "$LOGGED_UTILITY_STREAM",
        other => return format!("attribute {other:#x}"),
    };
    name.to_owned()
}

/// An attribute as one record holds it.
#[derive(Clone, Debug)]
pub(super) struct Attribute<'a> {
    /// Type code.
    pub(super) code: u32,
    /// Name, empty for the unnamed one.
    pub(super) name: Utf16<'a>,
    /// Flags.
    pub(super) flags: u16,
    /// Its content, or where that is.
    pub(super) form: Form<'a>,
    /// Where the attribute starts on the volume, or in the record where that is not in one piece.
    pub(super) at: u64,
}

/// Where an attribute's content is.
#[derive(Clone, Debug)]
pub(super) enum Form<'a> {
    /// In the record.
    Resident {
        /// The content.
        value: &'a [u8],
        /// Its offset in the record.
        value_at: usize,
    },
    /// In clusters.
    NonResident(Extents<'a>),
}

/// The non-resident form. Sizes are valid where `lowest_vcn` is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents<'a> {
    /// First virtual cluster of this piece.
    pub(super) lowest_vcn: u64,
    /// Last virtual cluster of this piece; one less than the lowest for an empty stream.
    pub(super) highest_vcn: i64,
    /// Binary exponent of the clusters in a compression unit, zero without.
    pub(super) unit_exponent: u8,
    /// Bytes allocated.
    pub(super) allocated: u64,
    /// Bytes of content.
    pub(super) size: u64,
    /// Bytes that have been written.
    pub(super) initialised: u64,
    /// Mapping pairs.
    pub(super) pairs: &'a [u8],
}

/// The attributes of a record; ends behind the first one that makes no sense.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
    place: Option<u64>,
    done: bool,
}

impl<'a> Attributes<'a> {
    /// The attributes in the used part of a record, from offset `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize, place: Option<u64>) -> Self {
        Self { bytes, at, place, done: false }
    }

    /// The attribute at the current offset and the offset of the following one.
    fn parse(&self) -> Result<Option<(Attribute<'a>, usize)>> {
        let record = Fields::new("attribute", self.bytes, self.place.unwrap_or(0));
        if self.at.saturating_add(4) > self.bytes.len() || record.le_u32(self.at)? == code::END {
            return Ok(None);
        }
        let length = usize::try_from(record.le_u32(self.at.saturating_add(4))?).unwrap_or(usize::MAX);
        let left = self.bytes.len().saturating_sub(self.at);
        if length < 24 || length % 8 != 0 || length > left {
            let expected = format!("a multiple of 8 from 24 to {left}");
            return Err(Error::corrupt(record.offset(self.at), "length of attribute", expected, length));
        }
        let at = record.offset(self.at);
        let fields = Fields::new("attribute", record.bytes(self.at, length)?, at);
        let name_length = usize::from(fields.u8(9)?).saturating_mul(2);
        let name_at = usize::from(fields.le_u16(10)?);
        let name = if name_length == 0 { &[][..] } else { fields.bytes(name_at, name_length)? };
        let form = match fields.u8(8)? {
            0 => self.resident(&fields)?,
            1 => Form::NonResident(non_resident(&fields)?),
            other => return Err(Error::corrupt(at, "form of attribute", "0 or 1", other)),
        };
        let attribute = Attribute {
            code: fields.le_u32(0)?,
            name: name::units(name),
            flags: fields.le_u16(12)?,
            form,
            at,
        };
        Ok(Some((attribute, self.at.saturating_add(length))))
    }

    fn resident(&self, fields: &Fields<'a>) -> Result<Form<'a>> {
        let length = usize::try_from(fields.le_u32(0x10)?).unwrap_or(usize::MAX);
        let offset = usize::from(fields.le_u16(0x14)?);
        let value = fields.bytes(offset, length)?;
        Ok(Form::Resident { value, value_at: self.at.saturating_add(offset) })
    }
}

fn non_resident<'a>(fields: &Fields<'a>) -> Result<Extents<'a>> {
    let pairs_at = usize::from(fields.le_u16(0x20)?);
    let pairs = fields.all().get(pairs_at..).ok_or_else(|| {
        Error::corrupt(fields.offset(0x20), "offset of mapping pairs", fields.all().len(), pairs_at)
    })?;
    let lowest_vcn = fields.le_u64(0x10)?;
    let mut extents = Extents {
        lowest_vcn,
        highest_vcn: i64::from_le_bytes(fields.array(0x18)?),
        unit_exponent: fields.u8(0x22)?,
        allocated: 0,
        size: 0,
        initialised: 0,
        pairs,
    };
    if lowest_vcn == 0 {
        extents.allocated = fields.le_u64(0x28)?;
        extents.size = fields.le_u64(0x30)?;
        extents.initialised = fields.le_u64(0x38)?;
    }
    Ok(extents)
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.parse() {
            Ok(Some((attribute, next))) => {
                self.at = next;
                Some(Ok(attribute))
            }
            Ok(None) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}
