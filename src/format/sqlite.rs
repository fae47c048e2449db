//! SQLite databases: pages, the schema, rows of tables (SQLite Database File Format).

mod log;
mod record;

pub(crate) use log::Log;
pub(crate) use record::Row;

use super::{be16, be32};
use crate::error::{Error, Result};
use crate::io::{ReadAt, read_vec};

/// Pages of one table that are counted.
const PAGES_MAX: usize = 4096;
/// Pages that wait to be visited.
const WAITING_MAX: usize = 100_000;
/// Tables of one database.
const TABLES_MAX: usize = 10_000;
/// Depth of a b-tree.
const DEPTH_MAX: usize = 20;
/// Bytes of a cell of the schema table that are read; longer statements are cut.
const CELL_MAX: usize = 2048;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Name.
    pub(crate) name: Vec<u8>,
    /// Page of the root of its b-tree.
    pub(crate) root: u32,
}

/// A database.
#[derive(Debug)]
pub(crate) struct Database<'d> {
    content: &'d dyn ReadAt,
    page_size: usize,
    reserved: usize,
    log: Option<Log<'d>>,
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// How many were counted.
    pub(crate) count: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
}

impl<'d> Database<'d> {
    /// Opens one; `None` when the content is something else.
    ///
    /// # Errors
    /// When the header is wrong or cannot be read.
    pub(crate) fn open(content: &'d dyn ReadAt) -> Result<Option<Self>> {
        if content.size() < 100 {
            return Ok(None);
        }
        let header = read_vec(content, 0, 100)?;
        if !header.starts_with(b"SQLite format 3\0") {
            return Ok(None);
        }
        let page_size = match be16(&header, 16) {
            Some(1) => 65_536,
            Some(size) if size >= 512 && size.is_power_of_two() => usize::from(size),
            other => {
                return Err(Error::corrupt(
                    16,
                    "page size",
                    "a power of two from 512 on",
                    format!("{other:?}"),
                ));
            }
        };
        let reserved = header.get(20).copied().map_or(0, usize::from);
        Ok(Some(Self { content, page_size, reserved, log: None }))
    }

    /// The same with the pages that its write-ahead log holds in place of its own.
    ///
    /// # Errors
    /// When the log belongs to something else or cannot be read.
    pub(crate) fn with_log(self, log: &'d dyn ReadAt) -> Result<Self> {
        let log = Log::open(log, self.page_size)?;
        Ok(Self { log: Some(log), ..self })
    }

    /// Bytes of a page.
    pub(crate) fn page_size(&self) -> usize {
        self.page_size
    }

    /// Bytes of a page that the format itself uses; the rest is left to extensions.
    pub(crate) fn usable(&self) -> usize {
        self.page_size.saturating_sub(self.reserved)
    }

    /// Pages that the content has room for. A header may say less.
    pub(crate) fn page_count(&self) -> u32 {
        let size = u64::try_from(self.page_size).unwrap_or(u64::MAX);
        let own = u32::try_from(self.content.size() / size).unwrap_or(u32::MAX);
        own.max(self.log.as_ref().map_or(0, Log::last))
    }

    /// The bytes of a page; the first one has number 1.
    ///
    /// # Errors
    /// When it lies past the end or cannot be read.
    pub(crate) fn page(&self, number: u32) -> Result<Vec<u8>> {
        if let Some(page) = self.log.as_ref().and_then(|log| log.page(number, self.page_size)) {
            return page;
        }
        let size = u64::try_from(self.page_size).unwrap_or(u64::MAX);
        let at = u64::from(number.saturating_sub(1)).saturating_mul(size);
        read_vec(self.content, at, self.page_size)
    }

    /// The tables of the schema.
    ///
    /// # Errors
    /// When pages are wrong or cannot be read.
    pub(crate) fn tables(&self) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        self.leaves(1, 2 * PAGES_MAX, &mut |page, header| {
            for cell in cells(page, header) {
                tables.extend(table_of(page.get(cell..).unwrap_or_default()));
            }
            tables.len() < TABLES_MAX
        })?;
        Ok(tables)
    }

    /// Counts the rows of a table, up to a bound on pages.
    ///
    /// # Errors
    /// As [`tables`](Self::tables).
    pub(crate) fn rows(&self, table: &Table) -> Result<Rows> {
        let mut count = 0;
        let mut pages = 0;
        let all = self.leaves(table.root, 2 * PAGES_MAX, &mut |page, header| {
            count += u64::from(be16(page, header + 3).unwrap_or(0));
            pages += 1;
            pages < PAGES_MAX
        })?;
        Ok(Rows { count, more: !all })
    }

    /// Visits the rows of a table, each at most `max` bytes long, until the visitor has enough. A row that
    /// cannot be read is an error for the visitor, and the next one follows.
    ///
    /// # Errors
    /// As [`tables`](Self::tables), and when the tree has more pages than the database.
    pub(crate) fn visit(
        &self,
        table: &Table,
        max: usize,
        visit: &mut dyn FnMut(Result<Row>) -> bool,
    ) -> Result<()> {
        let pages = usize::try_from(self.page_count()).unwrap_or(usize::MAX);
        let mut goes_on = true;
        let all = self.leaves(table.root, pages, &mut |page, header| {
            goes_on = cells(page, header)
                .into_iter()
                .all(|cell| record::row(self, page, cell, max).transpose().is_none_or(&mut *visit));
            goes_on
        })?;
        if goes_on && !all {
            return Err(Error::corrupt(0, "b-tree", "a tree of the database's own pages", "more of them"));
        }
        Ok(())
    }

    /// Visits the leaf pages below `root`, at most `max` pages in all, until the visitor has enough; says
    /// whether it saw all.
    fn leaves(&self, root: u32, max: usize, visit: &mut dyn FnMut(&[u8], usize) -> bool) -> Result<bool> {
        let mut todo = vec![(root, 0)];
        let mut seen = 0;
        while let Some((number, depth)) = todo.pop() {
            seen += 1;
            if number == 0 || depth > DEPTH_MAX || seen > max || todo.len() > WAITING_MAX {
                return Ok(false);
            }
            let page = self.page(number)?;
            let header = if number == 1 { 100 } else { 0 };
            match page.get(header) {
                // Leaves of tables, and of tables without row ids (which are index b-trees).
                Some(13 | 10) => {
                    if !visit(&page, header) {
                        return Ok(false);
                    }
                }
                Some(5 | 2) => {
                    todo.extend(be32(&page, header + 8).map(|right| (right, depth + 1)));
                    let children = cells(&page, header).into_iter().filter_map(|cell| be32(&page, cell));
                    let mut children: Vec<_> = children.map(|child| (child, depth + 1)).collect();
                    children.reverse();
                    todo.append(&mut children);
                }
                other => {
                    let at = u64::from(number);
                    return Err(Error::corrupt(
                        at,
                        "b-tree page",
                        "type 2, 5, 10 or 13",
                        format!("{other:?}"),
                    ));
                }
            }
        }
        Ok(true)
    }
}

/// Offsets of the cells of a page whose header starts at `header` and is 8 bytes long, 12 on interior pages.
pub(crate) fn cells(page: &[u8], header: usize) -> Vec<usize> {
    let is_interior = matches!(page.get(header), Some(5 | 2));
    let array = header + if is_interior { 12 } else { 8 };
    let count = usize::from(be16(page, header + 3).unwrap_or(0));
    (0..count).filter_map(|index| be16(page, array + 2 * index).map(usize::from)).collect()
}

/// Name and root of a cell of the schema table that defines a table.
fn table_of(cell: &[u8]) -> Option<Table> {
    let cell = cell.get(..cell.len().min(CELL_MAX))?;
    let (_payload, rest) = varint(cell)?;
    let (_row, record) = varint(rest)?;
    let (header_length, mut header) = varint(record)?;
    let mut body = record.get(usize::try_from(header_length).ok()?..)?;
    let mut columns: Vec<(u64, &[u8])> = Vec::new();
    // type, name, tbl_name, rootpage
    while columns.len() < 4 {
        let (serial, rest) = varint(header)?;
        header = rest;
        let length = match serial {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(serial).ok()?,
            5 => 6,
            6 | 7 => 8,
            text => usize::try_from((text.checked_sub(12)?) / 2).ok()?,
        };
        columns.push((serial, body.get(..length)?));
        body = body.get(length..)?;
    }
    let [(_, kind), (_, name), _, (serial, root)] = columns.as_slice() else { return None };
    if *kind != b"table" || !matches!(serial, 1..=4 | 9) {
        return None;
    }
    let root = root.iter().fold(u32::from(*serial == 9), |sum, &byte| (sum << 8) | u32::from(byte));
    Some(Table { name: name.to_vec(), root })
}

/// A variable-length integer and what follows.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        let rest = bytes.get(index + 1..)?;
        if index == 8 {
            return Some(((value << 8) | u64::from(byte), rest));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use proptest::prelude::*;

    #[test]
    fn rows_are_counted_over_interior_pages() {
        let bytes = fixture("ipython-history.zst");
        let database = Database::open(&bytes).unwrap().unwrap();
        let rows: Vec<(Vec<u8>, u64)> = database
            .tables()
            .unwrap()
            .iter()
            .map(|table| (table.name.clone(), database.rows(table).unwrap().count))
            .collect();
        assert_eq!(rows, [(b"sessions".to_vec(), 0), (b"history".to_vec(), 5000)]);
        assert!(Database::open(&vec![0; 200]).unwrap().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damage_ends_in_errors_not_in_panics(at in 16_usize..9000, byte in any::<u8>(), step in 1_usize..64) {
            let mut bytes = fixture("ipython-history.zst");
            for place in (at..bytes.len()).step_by(step * 131).take(16) {
                bytes[place] = byte;
            }
            if let Ok(Some(database)) = Database::open(&bytes) {
                for table in database.tables().unwrap_or_default() {
                    prop_assert!(database.rows(&table).map_or(true, |rows| rows.count < 1 << 40));
                }
            }
        }
    }
}
