//! `$UpCase`: the volume's own table for comparing names without regard to case.

use super::name;
use crate::io::{ReadAt, read_vec};

/// A unit for each of the 65,536 that there are.
const TABLE_BYTES: usize = 2 * 65_536;

/// Upper-case units by unit.
#[derive(Debug)]
pub(super) struct UpCase {
    table: Option<Vec<u16>>,
}

impl UpCase {
    /// Reads the table; without one, upper-casing of single characters stands in.
    pub(super) fn read(stream: Option<&dyn ReadAt>) -> Self {
        let bytes = stream.and_then(|stream| read_vec(stream, 0, TABLE_BYTES).ok());
        let table =
            bytes.map(|bytes| name::units(&bytes).iter().map(|&unit| u16::from_le_bytes(unit)).collect());
        Self { table }
    }

    /// The name with each unit in upper case.
    pub(super) fn fold(&self, name: &[u8]) -> Vec<u16> {
        name::utf16(name).into_iter().map(|unit| self.upper(unit)).collect()
    }

    fn upper(&self, unit: u16) -> u16 {
        if let Some(table) = &self.table {
            return table.get(usize::from(unit)).copied().unwrap_or(unit);
        }
        let Some(character) = char::from_u32(u32::from(unit)) else { return unit };
        let mut upper = character.to_uppercase();
        match (upper.next().map(u32::from).map(u16::try_from), upper.next()) {
            (Some(Ok(single)), None) => single,
            _ => unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_table_single_characters_are_upper_cased() {
        let upcase = UpCase::read(None);
        assert_eq!(upcase.fold("Größe".as_bytes()), upcase.fold("GRÖßE".as_bytes()));
        assert_ne!(upcase.fold(b"a"), upcase.fold(b"b"));
    }
}
