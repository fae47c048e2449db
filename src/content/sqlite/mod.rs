//! SQLite databases (SQLite Database File Format): what their pages do not show as they lie there. Records that
//! go on in overflow pages are joined, also deleted ones; columns that hold a format of their own are handed
//! on; what was freed is named as such.

mod freed;
mod record;
mod wal;

pub(super) use wal::DECODER as WAL;

use super::{Decoder, Form, Visit};
use crate::error::{Error, Result};
use crate::format::be32;
use crate::format::sqlite::{Database, cells};
use crate::io::{ReadAt, read_vec};
use freed::Freelist;
use record::{Page, Pages};

/// Depth of a b-tree.
const DEPTH_MAX: usize = 20;

pub(super) const DECODER: Decoder = Decoder {
    name: "sqlite",
    probe: |head| head.starts_with(b"SQLite format 3\0"),
    form: Form::Partial(decode),
};

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let database = Database::open(content)?
        .ok_or_else(|| Error::corrupt(0, "database", "SQLite format 3", "something else"))?;
    let pages = File { content, page_size: database.page_size(), count: database.page_count() };
    let mut troubles = Troubles(None);
    let freelist = Freelist::read(&pages, database.usable(), &mut troubles);
    let mut walk =
        Walk { pages: &pages, usable: database.usable(), freelist, seen: Seen::new(pages.count), troubles };
    walk.tree("sqlite_schema", 1, visit)?;
    let tables = database.tables();
    for table in walk.troubles.keep(tables).unwrap_or_default() {
        walk.tree(&crate::location::escape(&table.name), table.root, visit)?;
    }
    walk.freed(visit)?;
    walk.troubles.0.map_or(Ok(()), Err)
}

/// The first thing that could not be read; the others are read on.
struct Troubles(Option<Error>);

impl Troubles {
    fn keep<T>(&mut self, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.0.get_or_insert(error)).ok()
    }
}

/// A database file's pages.
#[derive(Debug)]
struct File<'a> {
    content: &'a dyn ReadAt,
    page_size: usize,
    count: u32,
}

impl Pages for File<'_> {
    fn content(&self) -> &dyn ReadAt {
        self.content
    }

    fn place(&self, number: u32) -> Option<u64> {
        let index = number.checked_sub(1).filter(|_| number <= self.count)?;
        u64::from(index).checked_mul(super::to_u64(self.page_size))
    }

    fn count(&self) -> u32 {
        self.count
    }
}

impl File<'_> {
    fn page(&self, number: u32) -> Result<Page> {
        let wrong = || Error::corrupt(0, "page number", format!("1 to {}", self.count), number);
        let source = self.place(number).ok_or_else(wrong)?;
        let header = if number == 1 { 100 } else { 0 };
        Ok(Page { number, source, header, bytes: read_vec(self.content, source, self.page_size)? })
    }
}

/// Pages that were visited, a bit each: a cycle ends where it began.
struct Seen(Vec<u64>);

impl Seen {
    fn new(count: u32) -> Self {
        Self(vec![0; usize::try_from(count / 64).unwrap_or(0).saturating_add(1)])
    }

    /// Whether the page was not seen before.
    fn first(&mut self, number: u32) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|index| self.0.get_mut(index));
        let Some(word) = word else { return false };
        let bit = 1_u64 << (number % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}

/// A walk over the whole database.
struct Walk<'a> {
    pages: &'a File<'a>,
    usable: usize,
    freelist: Freelist,
    seen: Seen,
    troubles: Troubles,
}

impl Walk<'_> {
    /// Visits the b-tree of a table, each page once.
    fn tree(&mut self, table: &str, root: u32, visit: Visit<'_>) -> Result<()> {
        let mut todo = vec![(root, 0)];
        while let Some((number, depth)) = todo.pop() {
            if depth > DEPTH_MAX || !self.seen.first(number) {
                let found = format!("page {number} again, or too deep");
                let error = Error::corrupt(0, "b-tree", "each page once", found);
                self.troubles.keep::<()>(Err(error));
                continue;
            }
            let page = self.pages.page(number);
            let Some(page) = self.troubles.keep(page) else { continue };
            match page.kind() {
                // Leaves of tables, and of tables without row ids, which are index b-trees.
                Some(13 | 10) => {}
                Some(5 | 2) => {
                    let pointers = cells(&page.bytes, page.header).into_iter();
                    let right = page.header.saturating_add(8);
                    let children = pointers.rev().chain([right]).filter_map(|at| be32(&page.bytes, at));
                    todo.extend(children.map(|child| (child, depth.saturating_add(1))));
                }
                other => {
                    let found = format!("{other:?}");
                    let error = Error::corrupt(page.source, "b-tree page", "type 2, 5, 10 or 13", found);
                    self.troubles.keep::<()>(Err(error));
                    continue;
                }
            }
            record::page(self.pages, self.usable, table, &page, visit)?;
            self.freelist.in_page(self.pages, self.usable, table, &page, visit)?;
        }
        Ok(())
    }

    /// Visits what the free list has, and no deleted record was joined with.
    fn freed(&mut self, visit: Visit<'_>) -> Result<()> {
        for number in self.freelist.pages() {
            let page = self.pages.page(number);
            let Some(page) = self.troubles.keep(page).filter(|page| page.kind() == Some(13)) else {
                continue;
            };
            record::page(self.pages, self.usable, "free list", &page, visit)?;
            self.freelist.in_page(self.pages, self.usable, "free list", &page, visit)?;
        }
        self.freelist.rest(self.pages, self.usable, visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_leads_back_to_itself_ends_and_is_named() {
        let mut page = vec![0; 512];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..24].copy_from_slice(&[2, 0, 1, 1, 0, 64, 32, 32]);
        page[31] = 1;
        // An interior page without cells, whose right child is the page itself.
        page[100] = 5;
        page[111] = 1;
        let error = decode(&page, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("each page once") && error.contains("page 1 again"), "{error}");
    }
}
