//! Damaged and enormous files: every check ends, in bounded time, and what was not read is never clean.

use super::memory::Memory;
use super::{PASSWD, catalogue, evaluate, fixture, source, state};
use residue::leftover::CheckState;
use std::time::{Duration, Instant};

/// A fixture, the path at which checks look at it, and whether it belongs to Windows.
const FILES: [(&str, &str, bool); 16] = [
    ("hives/sam-dirty.zst", "/Windows/System32/config/SAM", true),
    ("hives/software-dirty.zst", "/Windows/System32/config/SOFTWARE", true),
    ("hives/system-dirty.zst", "/Windows/System32/config/SYSTEM", true),
    ("hives/security-dirty.zst", "/Windows/System32/config/SECURITY", true),
    ("hives/ntuser-dirty.zst", "/Users/bob/NTUSER.DAT", true),
    ("hives/software-torn-log1.zst", "/Windows/System32/config/SOFTWARE.LOG1", true),
    ("security-evtx.zst", "/Windows/System32/winevt/Logs/Security.evtx", true),
    ("journal.zst", "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", false),
    ("wtmp.zst", "/var/log/wtmp", false),
    ("wtmp-wiped.zst", "/var/log/btmp", false),
    ("chrome-logins.zst", "/home/alice/.config/google-chrome/Default/Login Data", false),
    ("gcloud-credentials.zst", "/home/alice/.config/gcloud/credentials.db", false),
    ("ipython-history.zst", "/home/alice/.ipython/profile_default/history.sqlite", false),
    ("ed25519.zst", "/home/alice/.ssh/id_ed25519", false),
    ("rsa-pkcs8-locked.zst", "/etc/ssl/private/server.key", false),
    ("users.zst", "/srv/app/users.sqlite", false),
];
/// Changed forms of each fixture.
const FORMS: u64 = 24;

fn system(is_windows: bool) -> Memory {
    let mut memory = Memory::new(if is_windows { "ntfs" } else { "ext4" }, "1");
    if is_windows {
        memory.file("/Windows/System32/config/SYSTEM", fixture("hives/system-clean.zst"));
    } else {
        memory.file("/etc/passwd", PASSWD);
    }
    memory
}

/// The same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

fn change(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    match numbers.next(4) {
        0 => bytes.truncate(numbers.next(bytes.len())),
        1 => {
            let at = numbers.next(bytes.len().saturating_sub(8));
            bytes[at..at + 4].fill(0xff);
        }
        2 => {
            for _ in 0..16 {
                let at = numbers.next(bytes.len());
                bytes[at] = numbers.next(256) as u8;
            }
        }
        _ => {
            // A stretch of the file in another place: lists that point at each other.
            let length = numbers.next(64).min(bytes.len() / 2);
            let (from, to) = (numbers.next(bytes.len() - length), numbers.next(bytes.len() - length));
            bytes.copy_within(from..from + length, to);
        }
    }
}

#[test]
fn changed_files_end_in_findings_or_reasons() {
    let started = Instant::now();
    for (name, path, is_windows) in FILES {
        let whole = fixture(name);
        for form in 1..=FORMS {
            let mut numbers = Numbers(form.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut bytes = whole.clone();
            for _ in 0..=numbers.next(3) {
                if bytes.len() > 16 {
                    change(&mut bytes, &mut numbers);
                }
            }
            let mut memory = system(is_windows);
            memory.replace(path, bytes);
            if path.ends_with(".LOG1") {
                memory.replace("/Windows/System32/config/SOFTWARE", fixture("hives/software-torn.zst"));
            }
            let (_, outcomes) = evaluate(&[source("p1", memory)]);
            assert_eq!(outcomes.len(), catalogue().checks().len(), "{name}, form {form}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[test]
fn a_file_that_is_no_such_file_is_never_clean() {
    let cases = [
        ("/Windows/System32/config/SAM", "win-local-password-hash", true),
        ("/Windows/System32/config/SECURITY", "win-lsa-secrets", true),
        ("/Windows/System32/winevt/Logs/Security.evtx", "win-event-logs", true),
        ("/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "systemd-journal-files", false),
    ];
    for (path, check, is_windows) in cases {
        let mut memory = system(is_windows);
        memory.replace(path, vec![0x41; 70_000]);
        let (_, outcomes) = evaluate(&[source("p1", memory)]);
        let found = state(&outcomes, check);
        assert!(found.is_gap(), "{check}: {found:?}");
    }
}

#[test]
fn ten_million_lines_and_binary_histories_take_bounded_time() {
    let mut memory = system(false);
    memory.replace("/home/alice/.bash_history", b"ls -l\n".repeat(10_000_000));
    let binary: Vec<u8> =
        (0..8_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    memory.replace("/root/.bash_history", binary);
    memory.replace("/root/.zsh_history", vec![0; 5_000_000]);
    memory.replace("/var/log/syslog", b"Jan  1 host x: y\n".repeat(1_000_000));
    memory.replace("/etc/environment", b"A=b\n".repeat(3_000_000));
    let started = Instant::now();
    let (leftovers, outcomes) = evaluate(&[source("p1", memory)]);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let history = leftovers.iter().find(|one| one.path == b"/home/alice/.bash_history").unwrap();
    assert!(
        history.evidence.iter().any(|line| line.ends_with("in the first 4 MiB")),
        "{:?}",
        history.evidence
    );
    // More was not looked at, and nothing found so far: not clean.
    let settings = state(&outcomes, "proxy-credentials");
    assert!(settings.is_gap() && *settings != CheckState::Clean, "{settings:?}");
}
