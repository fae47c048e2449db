//! `$VOLUME_NAME` and `$VOLUME_INFORMATION`, both in the record of `$Volume`.

use super::attribute::{Form, code};
use super::name;
use super::record::Record;
use crate::error::Result;
use crate::filesystem::Facts;
use crate::io::Fields;

/// Flags worth a note.
const NOTED: &[(u16, &str)] = &[
    (0x0001, "the volume is marked dirty: it was not unmounted"),
    (0x0002, "$LogFile is to be resized at the next mount"),
    (0x0004, "the volume is to be upgraded at the next mount"),
    (0x0010, "the change journal is being deleted"),
    (0x8000, "a consistency check has changed the volume"),
];

/// Adds label, version and flags to `facts`.
///
/// # Errors
/// Damaged attributes; what was read before them has been added.
pub(super) fn describe(record: &Record<'_>, facts: &mut Facts) -> Result<()> {
    for attribute in record.attributes() {
        let attribute = attribute?;
        let Form::Resident { value, .. } = attribute.form else { continue };
        match attribute.code {
            code::VOLUME_NAME if !value.is_empty() => {
                facts.label = Some(crate::location::escape(&name::wtf8(name::units(value))));
            }
            code::VOLUME_INFORMATION => {
                let fields = Fields::new("$VOLUME_INFORMATION", value, attribute.at);
                facts.features.push(format!("version {}.{}", fields.u8(8)?, fields.u8(9)?));
                let flags = fields.le_u16(10)?;
                let noted = NOTED.iter().filter(|(bit, _)| flags & bit != 0);
                facts.notes.extend(noted.map(|(_, note)| (*note).to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}
