//! Any bytes as a container: it opens or not, and every answer about the disk keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::container::{OpenOptions, Spool, Unresolved, open_with};
use residue::io::Backing;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let spool = Spool { bytes_max: 1 << 24, size_max: 1 << 32, ..Spool::default() };
    let options = OpenOptions { unresolved: Unresolved::Gap, spool, ..OpenOptions::default() };
    let Ok(image) = open_with(Arc::new(bytes.to_vec()), &options) else { return };
    let size = image.size();
    let mut at = 0;
    for _ in 0..64 {
        if at >= size {
            break;
        }
        let Ok(extent) = image.map(at, 1 << 20) else { break };
        assert!(extent.length > 0 && extent.length <= size - at);
        let length = usize::try_from(extent.length.min(4096)).unwrap_or(1);
        let mut buffer = vec![0xee; length];
        let read = image.read_at(at, &mut buffer);
        match extent.backing {
            Backing::Hole => assert!(read.is_ok() && buffer.iter().all(|&byte| byte == 0)),
            Backing::Missing { .. } => assert!(read.is_err()),
            Backing::Stored { .. } => {
                if let Some(slice) = image.slice(at, 4096) {
                    let common = slice.len().min(length);
                    assert!(read.is_err() || slice[..common] == buffer[..common]);
                }
            }
            Backing::Encoded { .. } => {}
        }
        at += extent.length;
    }
    let _ = image.residual();
});
