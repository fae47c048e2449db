//! Package databases: nothing that they say stops the proof, and a file is proven by its digest only.
#![no_main]
#![allow(dead_code, reason = "the file system in memory does more than one target needs")]

#[path = "../../tests/it/leftovers/memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;
use memory::Memory;
use residue::filesystem::EntryId;
use residue::knowngood::{Node, Volumes, compare, prove};

const PATHS: [&str; 10] = [
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/diversions",
    "/var/lib/dpkg/info/x.md5sums",
    "/lib/apk/db/installed",
    "/var/lib/dpkg/status.d/x",
    "/var/lib/dpkg/status.d/x.md5sums",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/share/rpm/Packages",
];

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut memory = Memory::new("ext4", "1");
    memory.file(PATHS[0], "Package: x\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/x 0\n\n");
    memory.file(PATHS[2], "00000000000000000000000000000000  usr/share/x\n");
    memory.replace(PATHS[usize::from(first) % PATHS.len()], rest);
    let files = ["/usr/share/x", "/etc/x", "/etc/ssl/private/x.key"];
    let node = |entry| Node { volume: 0, entry };
    let entries = files.iter().map(|path| node(EntryId(memory.file(path, "content")))).collect();
    let volumes = Volumes::one(&memory);
    prove(&volumes, &entries);
    compare(&volumes, &entries);
});
