//! Volume content that is recognised and not read as a file system.
//!
//! Swap and external journals need no reader to be complete once their bytes are swept. Everything else here is
//! opaque: the bytes are swept as they are, and the report says what it was that could not be read.

pub(super) mod bitlocker;
pub(super) mod ext_journal;
pub(super) mod luks;
pub(super) mod lvm;
pub(super) mod md;
pub(super) mod random;
pub(super) mod swap;
pub(super) mod unread;
pub(super) mod zfs;

use super::{Facts, Recognised};
use crate::error::Error;
use crate::io::ReadAt;
use crate::location::escape;

/// `N` bytes at `offset`; `None` where the volume is shorter or cannot be read.
fn bytes_at<const N: usize>(volume: &dyn ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    volume.read_at(offset, &mut bytes).ok().map(|()| bytes)
}

/// Text up to the first NUL, without spaces around it, escaped; `None` where nothing is left.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.split(|&byte| byte == 0).next()?.trim_ascii();
    (!bytes.is_empty()).then(|| escape(bytes))
}

/// A UUID stored in the order in which it is printed; `None` where it is all zeros.
fn uuid(bytes: &[u8]) -> Option<String> {
    if bytes.iter().all(|&byte| byte == 0) {
        return None;
    }
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Some(text)
}

/// A serial number of 32 bits as its platform prints it.
pub(super) fn serial(number: u32) -> Option<String> {
    Some(format!("{:04X}-{:04X}", number >> 16, number & 0xffff))
}

/// Content with a known name whose structure is not read.
fn unsupported(facts: Facts) -> Recognised {
    let error = Error::unsupported(format!("{} is not read", facts.kind));
    Recognised::Opaque { facts, error }
}
