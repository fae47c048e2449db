//! Files that checks parse, at the paths where they look: the first byte of the input chooses one.
#![no_main]
#![allow(dead_code, reason = "the file system in memory does more than one target needs")]

#[path = "../../tests/it/leftovers/memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;
use memory::Memory;
use residue::leftover::{Catalogue, Members, Source};
use std::sync::{Arc, LazyLock};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().expect("the catalogue loads"));

/// Registry hives, event logs, records of logins, journals, databases, and tables of users.
const PATHS: [&str; 16] = [
    "/Windows/System32/config/SAM",
    "/Windows/System32/config/SOFTWARE",
    "/Windows/System32/config/SECURITY",
    "/Users/bob/NTUSER.DAT",
    "/Windows/System32/config/SOFTWARE.LOG1",
    "/Windows/System32/winevt/Logs/Security.evtx",
    "/Windows/Panther/unattend.xml",
    "/$Recycle.Bin/S-1-5-21-1/$IABCDEF.txt",
    "/etc/shadow",
    "/etc/passwd",
    "/var/log/wtmp",
    "/var/log/lastlog",
    "/var/log/journal/0/system.journal",
    "/home/alice/.ipython/profile_default/history.sqlite",
    "/home/alice/.ssh/authorized_keys",
    "/home/alice/.bash_history",
];

fuzz_target!(init: CATALOGUE.prepare().expect("the patterns compile"), |data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let path = PATHS[usize::from(first) % PATHS.len()];
    let is_windows = path.starts_with("/Windows") || path.starts_with("/Users") || path.starts_with("/$");
    let mut memory = Memory::new(if is_windows { "ntfs" } else { "ext4" }, "1");
    if is_windows {
        memory.file("/Windows/System32/config/SYSTEM", "regf");
        // A hive whose sequence numbers differ, so that the log is looked at.
        let mut torn = vec![0; 8192];
        torn[..12].copy_from_slice(b"regf\x02\0\0\0\x01\0\0\0");
        memory.file("/Windows/System32/config/SOFTWARE", torn);
    } else {
        memory.file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n");
    }
    memory.replace(path, rest);
    let source = Source {
        volume: "p1".to_owned(),
        filesystem: Arc::new(memory),
        members: Members::default(),
    };
    let (_, outcomes) = CATALOGUE.evaluate(&[source]);
    assert_eq!(outcomes.len(), CATALOGUE.checks().len());
});
