//! Any bytes as a volume of the FAT family: a walk over all of it neither panics nor takes long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::filesystem::{Recognised, StreamName, Walked, recognise};
use residue::io::{ReadAt, read_vec};
use std::ops::ControlFlow;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let volume: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    let Recognised::Opened(filesystem) = recognise(&volume) else { return };
    if !matches!(filesystem.facts().kind, "fat12" | "fat16" | "fat32" | "exfat") {
        return;
    }
    let _ = filesystem.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked {
            let _ = filesystem.paths(entry.id);
            if let Ok(content) = filesystem.open(&entry, &StreamName::Data) {
                let length = usize::try_from(content.size().min(4096)).unwrap_or(0);
                let _ = read_vec(content.as_ref(), 0, length);
            }
        }
        ControlFlow::Continue(())
    });
    let _ = filesystem.unallocated(&mut |_| {});
});
