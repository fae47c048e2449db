//! Volume content that is named although it is not read.

use crate::support::{fixture, image, real_image, scan, tokens_only};
use residue::error::Kind;
use residue::filesystem::{Facts, Recognised, recognise};
use residue::io::ReadAt;
use residue::location::State;
use std::sync::Arc;

fn look(volume: Vec<u8>) -> Recognised {
    let volume: Arc<dyn ReadAt> = Arc::new(volume);
    recognise(&volume)
}

/// The facts, and the kind of error where the content is opaque.
fn outcome(name: &str, recognised: Recognised) -> (Facts, Option<Kind>) {
    match recognised {
        Recognised::Plain(facts) => (facts, None),
        Recognised::Opened(filesystem) => (filesystem.facts().clone(), None),
        Recognised::Opaque { facts, error } => (facts, Some(error.kind())),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn what_other_programs_made_is_recognised_by_name_label_and_identifier() {
    const UUID: &str = "11111111-2222-3333-4444-555555555555";
    let lvm = "abcdef-abcd-abcd-abcd-abcd-abcd-abcdef";
    let (unread, locked) = (Some(Kind::Unsupported), Some(Kind::Encrypted));
    let cases = [
        ("swap", "swap", Some("auslagern"), Some(UUID), 1 << 20, None),
        ("swap-64k", "swap", None, Some(UUID), 1 << 20, None),
        ("fat12", "fat12", Some("ESP"), Some("1234-ABCD"), 2 << 20, None),
        ("fat16", "fat16", None, Some("1234-ABCD"), 16 << 20, None),
        ("fat32", "fat32", Some("DATA"), Some("1234-ABCD"), 64 << 20, None),
        ("exfat", "exfat", None, None, 8 << 20, None),
        ("xfs", "xfs", Some("wide"), Some(UUID), 320 << 20, unread),
        ("btrfs", "btrfs", Some("tree"), Some(UUID), 128 << 20, unread),
        ("f2fs", "f2fs", None, None, 64 << 20, unread),
        ("squashfs", "squashfs", None, None, 0, unread),
        ("iso9660", "iso9660", Some("DISC"), None, 0, unread),
        ("luks1", "luks1", None, Some(UUID), 8192, locked),
        ("luks2", "luks2", Some("vault"), Some(UUID), 8192, locked),
        ("lvm", "lvm2", None, Some(lvm), 8 << 20, unread),
        ("ext-journal", "ext4 journal", Some("log"), Some(UUID), 4 << 20, None),
    ];
    for (name, kind, label, uuid, size, error) in cases {
        let (facts, found) = outcome(name, look(fixture(&format!("volumes/{name}.raw"))));
        assert_eq!((facts.kind, found), (kind, error), "{name}");
        assert_eq!(facts.label.as_deref(), label, "{name}");
        assert!(uuid.is_none() || facts.uuid.as_deref() == uuid, "{name}: {:?}", facts.uuid);
        assert!(size == 0 || facts.size == size, "{name}: {} bytes", facts.size);
        assert!(facts.block_size > 0, "{name}");
    }
}

#[test]
fn an_external_journal_is_swept_as_a_journal_and_says_whose_it_is() {
    let mut disk = fixture("volumes/ext-journal.raw");
    // In the journal's own superblock, one block behind that of ext: one user.
    disk[0x1000 + 0x40..0x1000 + 0x44].copy_from_slice(&1_u32.to_be_bytes());
    disk[0x1100..0x1110].copy_from_slice(&[0xab; 16]);
    disk[0x8000..0x8018].copy_from_slice(b" AKIAQ3EGUXJ5WZP7LNYT   ");
    let (facts, _) = outcome("ext-journal", look(disk.clone()));
    assert_eq!(facts.notes, ["the journal of file system abababab-abab-abab-abab-abababababab"]);
    let scanned = scan(image(&disk).path(), &tokens_only(1, 1 << 20));
    let [finding] = scanned.findings.as_slice() else { panic!("{:?}", scanned.findings) };
    assert_eq!((finding.place.state, finding.place.disk_offset), (Some(State::Journal), Some(0x8001)));
    assert!(scanned.gaps.is_empty(), "{:?}", scanned.gaps);
    assert_eq!(scanned.summary.coverage.opaque, 0);
    // Without a journal behind it, it is still no file system.
    disk[0x1000..0x1004].fill(0);
    let (facts, error) = outcome("ext-journal", look(disk));
    assert_eq!((facts.kind, error, facts.notes.len()), ("ext4 journal", None, 1));
}

#[test]
fn a_drive_encrypted_by_windows_is_recognised() {
    let Some(drive) = real_image("bdetogo.raw") else { return };
    let (facts, error) = outcome("bdetogo", look(drive));
    assert_eq!((facts.kind, error), ("bitlocker", Some(Kind::Encrypted)));
}

/// A volume of `size` bytes with values at offsets.
fn volume(size: usize, values: &[(usize, &[u8])]) -> Vec<u8> {
    let mut volume = vec![0; size];
    for (at, bytes) in values {
        volume[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    volume
}

/// Signatures as their specifications give them, for formats whose programs are not at hand.
#[test]
fn signatures_stand_where_the_specifications_say() {
    let md = |at: usize| {
        let sector = u64::try_from(at / 512).unwrap().to_le_bytes();
        let magic = [0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0];
        volume(1 << 20, &[(at, &magic), (at + 16, &[0x11; 16]), (at + 32, b"host:0"), (at + 144, &sector)])
    };
    let md_0 = [0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0];
    let cases = [
        ("md-raid", md(0)),
        ("md-raid", md(4096)),
        ("md-raid", md((1 << 20) - 8192)),
        ("md-raid", volume((1 << 20) + 4096, &[((1 << 20) - 65_536, &md_0)])),
        ("bitlocker", volume(512, &[(3, b"-FVE-FS-")])),
        ("refs", volume(4096, &[(3, b"ReFS\0\0\0\0")])),
        ("apfs", volume(4096, &[(32, b"NXSB")])),
        ("hfsplus", volume(4096, &[(1024, b"H+\0\x04")])),
        ("hfsx", volume(4096, &[(1024, b"HX\0\x05")])),
        ("zfs", volume(1 << 20, &[(0x2_0000 + 5 * 1024, &0x00ba_b10c_u64.to_be_bytes())])),
        ("swap", volume(1 << 16, &[(4086, b"S1SUSPEND\0"), (1024, &[1, 0, 0, 0])])),
        ("swap", volume(1 << 16, &[(16_374, b"SWAPSPACE2"), (1024, &[1, 0, 0, 0])])),
    ];
    for (kind, volume) in cases {
        let (facts, _) = outcome(kind, look(volume));
        assert_eq!(facts.kind, kind);
    }
}

#[test]
fn nothing_is_recognised_where_nothing_is() {
    let mbr = fixture("volumes/mbr.raw");
    for volume in [vec![], vec![0; 3], vec![0; 1 << 20], vec![0xff; 1 << 20], mbr] {
        let length = volume.len();
        assert!(matches!(look(volume), Recognised::Unknown), "{length} bytes");
    }
}

#[test]
fn a_start_cut_anywhere_is_recognised_or_unknown() {
    for name in ["swap", "fat32", "exfat", "xfs", "btrfs", "f2fs", "iso9660", "luks2", "lvm"] {
        let whole = fixture(&format!("volumes/{name}.raw"));
        for length in (0..whole.len().min(70_000)).step_by(97) {
            look(whole[..length].to_vec());
        }
    }
}
