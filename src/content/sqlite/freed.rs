//! What a database has freed (sections 1.5 and 1.6 of the format): pages of the free list, free blocks and the
//! unallocated space of b-tree pages. Deleted records that went on in overflow pages are joined again, as far
//! as those pages are on the free list and still name one another.

use super::record::{Page, Pages, follow};
use super::{File, Seen, Troubles};
use crate::content::gather::Pieces;
use crate::content::{Visit, to_u64, to_usize};
use crate::error::Error;
use crate::error::Result;
use crate::format::sqlite::cells;
use crate::format::{be16, be32};
use crate::io::read_vec;
use std::collections::{BTreeMap, BTreeSet};

/// Shortest freed stretch that is handed on.
const STRETCH_MIN: usize = 8;

/// The free list.
#[derive(Debug, Default)]
pub(super) struct Freelist {
    /// Each leaf page on the list, and the page that its first bytes name, where that is on the list as well.
    leaves: BTreeMap<u32, Option<u32>>,
    trunks: BTreeSet<u32>,
    /// Chain heads that no deleted record was joined with so far.
    heads: BTreeSet<u32>,
}

impl Freelist {
    pub(super) fn read(pages: &File<'_>, usable: usize, troubles: &mut Troubles) -> Self {
        let mut list = Self::default();
        let mut seen = Seen::new(pages.count);
        let first = read_vec(pages.content, 32, 4).ok().and_then(|bytes| be32(&bytes, 0));
        let mut next = first.unwrap_or(0);
        while next != 0 {
            if !seen.first(next) || next > pages.count {
                let error = Error::corrupt(32, "free list", "each page once", format!("page {next} again"));
                troubles.keep::<()>(Err(error));
                break;
            }
            let Some(trunk) = troubles.keep(pages.page(next)) else { break };
            list.trunks.insert(next);
            let most = to_u64(usable / 4).saturating_sub(2);
            let count = u64::from(be32(&trunk.bytes, 4).unwrap_or(0)).min(most);
            let leaves = (0..to_usize(count))
                .filter_map(|index| be32(&trunk.bytes, index.saturating_mul(4).saturating_add(8)));
            list.leaves.extend(leaves.filter(|&leaf| seen.first(leaf)).map(|leaf| (leaf, None)));
            next = be32(&trunk.bytes, 0).unwrap_or(0);
        }
        list.link(pages);
        list
    }

    /// Finds out which pages go on in which: an overflow page starts with the number of the next one.
    fn link(&mut self, pages: &File<'_>) {
        let numbers: Vec<u32> = self.leaves.keys().copied().collect();
        self.heads = numbers.iter().copied().collect();
        for number in numbers {
            let mut pointer = [0; 4];
            let read = pages.place(number).map(|source| pages.content.read_at(source, &mut pointer));
            let next = u32::from_be_bytes(pointer);
            if matches!(read, Some(Ok(()))) && next != number && self.leaves.contains_key(&next) {
                self.leaves.insert(number, Some(next));
                self.heads.remove(&next);
            }
        }
    }

    /// The pages on the list that may be b-tree pages.
    pub(super) fn pages(&self) -> Vec<u32> {
        self.leaves.keys().copied().collect()
    }

    /// Hands on what is free inside a b-tree page.
    pub(super) fn in_page(
        &mut self,
        pages: &File<'_>,
        usable: usize,
        table: &str,
        page: &Page,
        visit: Visit<'_>,
    ) -> Result<()> {
        for (start, end) in stretches(page, usable) {
            let Some(bytes) = page.bytes.get(start..end) else { continue };
            if bytes.len() < STRETCH_MIN || bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            let name = format!("{table}/page {} freed at {start}", page.number);
            let mut pieces = Pieces::default();
            pieces.push(page.source.saturating_add(to_u64(start)), to_u64(bytes.len()));
            pieces.visit(pages.content, &name, visit)?;
            self.joined(pages, usable, (&name, page.source.saturating_add(to_u64(start))), bytes, visit)?;
        }
        Ok(())
    }

    /// Hands on deleted cells that end with the number of an overflow page on the list.
    fn joined(
        &mut self,
        pages: &File<'_>,
        usable: usize,
        (name, source): (&str, u64),
        bytes: &[u8],
        visit: Visit<'_>,
    ) -> Result<()> {
        if self.heads.is_empty() {
            return Ok(());
        }
        for (at, window) in bytes.windows(4).enumerate() {
            let number = be32(window, 0).unwrap_or(0);
            if number != 0 && self.heads.remove(&number) {
                let mut pieces = Pieces::default();
                pieces.push(source, to_u64(at));
                follow(pages, usable, number, self.chain_length(number, usable), &mut pieces);
                pieces.visit(pages.content, &format!("{name}, page {number} on"), visit)?;
            }
        }
        Ok(())
    }

    /// Hands on the pages of the list, those that name one another as one.
    pub(super) fn rest(&self, pages: &File<'_>, usable: usize, visit: Visit<'_>) -> Result<()> {
        for &head in &self.heads {
            let mut pieces = Pieces::default();
            match self.leaves.get(&head) {
                Some(Some(_)) => follow(pages, usable, head, self.chain_length(head, usable), &mut pieces),
                _ => {
                    if let Some(source) = pages.place(head) {
                        pieces.push(source, to_u64(usable));
                    }
                }
            }
            pieces.visit(pages.content, &format!("free list/page {head}"), visit)?;
        }
        for &trunk in &self.trunks {
            let mut pieces = Pieces::default();
            if let Some(source) = pages.place(trunk) {
                pieces.push(source, to_u64(usable));
            }
            pieces.visit(pages.content, &format!("free list/page {trunk}"), visit)?;
        }
        Ok(())
    }

    /// Bytes that a chain has room for. The last page's own pointer may name anything: pages off the list are
    /// not followed.
    fn chain_length(&self, head: u32, usable: usize) -> u64 {
        let mut count = 1_u64;
        let mut at = head;
        while let Some(Some(next)) = self.leaves.get(&at) {
            count = count.saturating_add(1);
            at = *next;
            if count > to_u64(self.leaves.len()) {
                break;
            }
        }
        count.saturating_mul(to_u64(usable.saturating_sub(4)))
    }
}

/// Start and end of what is free in a b-tree page: between cell pointers and cells, and the free blocks.
fn stretches(page: &Page, usable: usize) -> Vec<(usize, usize)> {
    let field = |at: usize| be16(&page.bytes, page.header.saturating_add(at)).map_or(0, usize::from);
    let is_interior = matches!(page.kind(), Some(5 | 2));
    let pointers = cells(&page.bytes, page.header).len().saturating_mul(2);
    let start = page.header.saturating_add(if is_interior { 12 } else { 8 }).saturating_add(pointers);
    // Zero stands for 65,536.
    let end = if field(5) == 0 { usable } else { field(5) };
    let mut stretches = vec![(start, end.min(usable))];
    let mut block = field(1);
    // Free blocks are in ascending order; one that goes back ends the chain.
    while block != 0 {
        let length = be16(&page.bytes, block.saturating_add(2)).map_or(0, usize::from);
        stretches.push((block.saturating_add(4), block.saturating_add(length).min(usable)));
        let next = be16(&page.bytes, block).map_or(0, usize::from);
        if next <= block {
            break;
        }
        block = next;
    }
    stretches
}
