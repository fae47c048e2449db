//! Memory-mapped files that survive a failing medium.
//!
//! A page that cannot be delivered (bad sector, file shrunk by someone else) raises SIGBUS in whoever
//! touches it. The handler installed here puts a page of zeros in its place and records the address; the
//! reader asks [`ReadAt::faulted`] afterwards and reads such a range again with `pread`, whose errors are
//! ordinary. A SIGBUS outside of our mappings keeps its default effect.
#![allow(unsafe_code, reason = "mapping memory and handling its faults cannot be done otherwise")]

use super::file::PlainFile;
use super::{Extent, ReadAt};
use crate::error::{Error, Kind, Result};
use memmap2::{Advice, Mmap, MmapOptions, UncheckedAdvice};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mappings that can exist at one time.
const SLOTS: usize = 1024;

/// Bytes from which on the pages of a slice are entered at once.
const POPULATE_MIN: usize = 64 << 10;

/// One mapping as the signal handler sees it: addresses only, so that it needs no lock.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    fault_first: AtomicUsize,
    fault_last: AtomicUsize,
}

static MAPPINGS: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        fault_first: AtomicUsize::new(usize::MAX),
        fault_last: AtomicUsize::new(0),
    }
}; SLOTS];

/// A regular file, mapped whole and read-only.
#[derive(Debug)]
pub(super) struct MappedFile {
    map: Mmap,
    file: PlainFile,
    slot: usize,
}

impl MappedFile {
    /// Maps `file`.
    ///
    /// # Errors
    /// [`Kind::Io`] when the kernel refuses, [`Kind::LimitExceeded`] above [`SLOTS`] mappings.
    pub(super) fn new(file: PlainFile) -> Result<Self> {
        install_handler()?;
        // SAFETY: the mapping is private to this value and never written. Another process may change the
        // file: callers see changed bytes, and compare nothing twice that they rely on for memory safety.
        let map = unsafe { MmapOptions::new().map(file.file()) }
            .map_err(|source| Error::io("cannot map", source))?;
        let start = map.as_ptr().addr();
        let slot = claim_slot(start, start.saturating_add(map.len()))?;
        Ok(Self { map, file, slot })
    }

    fn slot(&self) -> &'static Slot {
        static EMPTY: Slot = Slot {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            fault_first: AtomicUsize::new(usize::MAX),
            fault_last: AtomicUsize::new(0),
        };
        MAPPINGS.get(self.slot).unwrap_or(&EMPTY)
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        let slot = self.slot();
        slot.end.store(0, Ordering::SeqCst);
        slot.start.store(0, Ordering::SeqCst);
    }
}

impl ReadAt for MappedFile {
    fn size(&self) -> u64 {
        self.file.size()
    }

    /// Copies with `pread`: parsers read little, and an error there is an ordinary one.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        self.file.map(offset, max)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let slice = self.map.as_ref().slice_from(offset, max)?;
        if slice.len() >= POPULATE_MIN {
            let start = usize::try_from(offset).ok()?;
            // One call enters all pages; each would fault on its own otherwise. Where it stops short, they do.
            let advised = self.map.advise_range(Advice::PopulateRead, start, slice.len());
            drop(advised);
        }
        Some(slice)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        let first = self.slot().fault_first.load(Ordering::SeqCst);
        let last = self.slot().fault_last.load(Ordering::SeqCst);
        let base = self.map.as_ptr().addr();
        let start = base.saturating_add(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        // A fault is recorded by the page it starts in.
        first < end && last.saturating_add(page_size()) > start
    }

    fn release(&self, offset: u64, length: u64) {
        // Whole pages within the range; neighbours may still be in use.
        let page = u64::try_from(page_size()).unwrap_or(4096);
        let start = offset.div_ceil(page).saturating_mul(page);
        let end = offset.saturating_add(length).min(self.size()) / page * page;
        let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(end.saturating_sub(start)))
        else {
            return;
        };
        if length > 0 {
            // SAFETY: for a read-only mapping of a file, MADV_DONTNEED only drops page-table entries: the
            // next access maps the same file page again. A page of zeros that the handler put there stays
            // anonymous and reads as zeros again.
            let advised =
                unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, length) };
            drop(advised);
        }
    }
}

/// Bounds-checked sub-slices by 64-bit offsets.
trait SliceFrom {
    fn slice_from(&self, offset: u64, max: u64) -> Option<&[u8]>;
}

impl SliceFrom for [u8] {
    fn slice_from(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let rest = self.get(usize::try_from(offset).ok()?..)?;
        let length = rest.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        rest.get(..length).filter(|bytes| !bytes.is_empty())
    }
}

fn claim_slot(start: usize, end: usize) -> Result<usize> {
    for (index, slot) in MAPPINGS.iter().enumerate() {
        // A slot is free while `start` is 0; taking it also resets what an earlier mapping left behind.
        if slot.start.compare_exchange(0, start, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            slot.fault_first.store(usize::MAX, Ordering::SeqCst);
            slot.fault_last.store(0, Ordering::SeqCst);
            slot.end.store(end, Ordering::SeqCst);
            return Ok(index);
        }
    }
    Err(Error::new(Kind::LimitExceeded, format!("more than {SLOTS} files mapped at one time")))
}

fn page_size() -> usize {
    rustix::param::page_size()
}

fn install_handler() -> Result<()> {
    static INSTALLED: Once = Once::new();
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    INSTALLED.call_once(|| {
        // SAFETY: an all-zero `sigaction` is a valid value; every field that matters is set below.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        // SAFETY: the handler is async-signal-safe: atomics, mmap and sigaction only.
        if unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) } != 0 {
            FAILED.store(1, Ordering::SeqCst);
        }
    });
    if FAILED.load(Ordering::SeqCst) == 0 {
        Ok(())
    } else {
        Err(Error::new(Kind::Io, "cannot install the handler for failing memory-mapped pages"))
    }
}

extern "C" fn on_sigbus(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo_t, and si_addr is set for SIGBUS.
    let address = unsafe { (*info).si_addr() }.addr();
    for slot in &MAPPINGS {
        let (start, end) = (slot.start.load(Ordering::SeqCst), slot.end.load(Ordering::SeqCst));
        if start != 0 && address >= start && address < end {
            let page = address & !(page_size().wrapping_sub(1));
            slot.fault_first.fetch_min(page, Ordering::SeqCst);
            slot.fault_last.fetch_max(page, Ordering::SeqCst);
            if put_zero_page(page) {
                return;
            }
        }
    }
    // Not ours: back to the default action, which ends the process when the access is tried again.
    // SAFETY: resetting a signal to its default is always valid.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

fn put_zero_page(page: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the page lies inside one of our own mappings, which nothing but readers of bytes use; it is
    // replaced by a readable page of zeros.
    let mapped = unsafe {
        libc::mmap(std::ptr::without_provenance_mut(page), page_size(), libc::PROT_READ, flags, -1, 0)
    };
    mapped != libc::MAP_FAILED
}

#[cfg(test)]
mod tests {
    use super::super::{Access, open};
    use std::io::Write as _;

    #[test]
    fn a_file_that_shrinks_reads_as_faulted_and_does_not_end_the_process() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; 64 * 1024]).unwrap();
        let mapped = open(file.path(), Access::Mapped).unwrap();
        file.as_file().set_len(4096).unwrap();
        let bytes = mapped.slice(0, 64 * 1024).unwrap();
        assert_eq!((bytes[0], bytes[40_000]), (7, 0));
        assert!(mapped.faulted(36_864, 4096));
        assert!(!mapped.faulted(0, 4096));
        assert!(mapped.read_at(40_000, &mut [0; 16]).is_err());
        mapped.read_at(0, &mut [0; 16]).unwrap();
    }

    #[test]
    fn released_pages_read_the_same_again() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![9; 64 * 1024]).unwrap();
        let mapped = open(file.path(), Access::Mapped).unwrap();
        assert_eq!(mapped.slice(0, 10).unwrap(), [9; 10]);
        mapped.release(0, 64 * 1024);
        assert_eq!(mapped.slice(8192, 10).unwrap(), [9; 10]);
    }
}
