//! Files that name public keys or commands, at the paths where they are looked for: the first byte chooses one.
#![no_main]
#![allow(dead_code, reason = "the file system in memory does more than one target needs")]

#[path = "../../tests/it/leftovers/memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;
use memory::Memory;
use residue::leftover::{Members, Source, traces};
use std::sync::Arc;

const PATHS: [&str; 10] = [
    "/home/alice/.ssh/authorized_keys",
    "/home/alice/.ssh/known_hosts",
    "/home/alice/.ssh/id_ed25519",
    "/home/alice/.ssh/id_ed25519.pub",
    "/home/alice/.kube/config",
    "/home/alice/.bash_history",
    "/etc/ssl/private/tls.key",
    "/etc/ssl/private/tls.crt",
    "/etc/ssh/sshd_config",
    "/etc/ssh/ssh_host_rsa_key.pub",
];

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n");
    memory.file("/home/alice/.ssh/id_ed25519", "-----BEGIN PRIVATE KEY-----\n");
    memory.file("/etc/ssl/private/tls.key", "-----BEGIN PRIVATE KEY-----\n");
    memory.replace(PATHS[usize::from(first) % PATHS.len()], rest);
    let source = Source { volume: "p1".to_owned(), filesystem: Arc::new(memory), members: Members::default() };
    let beside = ["/home/alice/.ssh/id_ed25519", "/etc/ssl/private/tls.key"];
    traces(&[source], &beside.map(|path| (0, path.as_bytes().to_vec())));
});
