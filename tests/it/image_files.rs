//! Images in several files, and references between images: followed as the user allows, and no further.

use crate::containers::{
    agree_or_fail, disk_of, fixture, folder, open_delta, open_path, patched, read_in_odd_steps, refused,
    same_disk,
};
use crate::support::real_image;
use residue::container::{OpenOptions, Unresolved};
use residue::error::Kind;
use residue::io::Backing;
use std::path::Path;

#[test]
fn a_disk_in_several_files_is_read_whole() {
    let cases: [(&str, &[&str], &str); 5] = [
        ("smart.s01", &["smart.s02", "smart.s03", "smart.s04", "smart.s05"], "disk.raw"),
        ("plain.E01", &["plain.E02", "plain.E03"], "disk.raw"),
        ("two-gb-sparse.vmdk", &["two-gb-sparse-s001.vmdk"], "disk.raw"),
        ("flat.vmdk", &["flat-flat.vmdk"], "disk.raw"),
        ("parts.vmdk", &["parts-s001.vmdk", "parts-s002.vmdk", "parts-f001.vmdk"], "disk.raw"),
    ];
    for (name, extents, disk) in cases {
        let folder = folder(&[&[name], extents].concat());
        let image = open_path(&folder.path().join(name), OpenOptions::default()).unwrap();
        same_disk(image.as_ref(), &fixture(disk), name);
    }
}

#[test]
fn a_parent_is_read_where_the_user_allows_it() {
    let cases = [
        ("overlay.qcow2", "base.qcow2", "overlay.raw"),
        ("overlay-subclusters.qcow2", "base.qcow2", "overlay-subclusters.raw"),
        ("delta.vmdk", "monolithic-sparse.vmdk", "delta.raw"),
    ];
    for (name, parent, disk) in cases {
        let folder = folder(&[name, parent]);
        let path = folder.path().join(name);
        let (kind, message) = refused(open_path(&path, OpenOptions::default()));
        assert_eq!(kind, Kind::MissingParent, "{name}: {message}");
        assert!(message.contains(parent), "{name}: {message}");

        let allowed = OpenOptions { allow_siblings: true, ..OpenOptions::default() };
        same_disk(open_path(&path, allowed).unwrap().as_ref(), &fixture(disk), name);

        let elsewhere = folder.path().join("renamed");
        std::fs::rename(folder.path().join(parent), &elsewhere).unwrap();
        let given = OpenOptions { parents: vec![elsewhere], ..OpenOptions::default() };
        let image = open_path(&path, given).unwrap();
        same_disk(image.as_ref(), &fixture(disk), name);
        assert!(image.facts().notes.is_empty(), "{name}: {:?}", image.facts().notes);
    }
}

#[test]
fn references_that_lead_elsewhere_are_refused_and_open_nothing() {
    let folder = folder(&["flat-flat.vmdk", "overlay.qcow2", "base.qcow2"]);
    let path = folder.path().join("disk.vmdk");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, vec![7; 9 << 20]).unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("link.vmdk")).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::copy(&secret, folder.path().join("sub/inner.vmdk")).unwrap();
    rustix_fifo(&folder.path().join("pipe.vmdk"));
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    let outside = format!("../{name}/secret");
    let absolute = secret.to_str().unwrap();
    let names = [
        ("/etc/passwd", "bare file name"),
        (absolute, "bare file name"),
        (outside.as_str(), "bare file name"),
        ("sub/inner.vmdk", "bare file name"),
        ("..\\secret", "bare file name"),
        ("C:\\secret", "bare file name"),
        ("nbd:localhost:1", "bare file name"),
        ("json:{}", "bare file name"),
        ("..", "bare file name"),
        ("sub", "not a regular file"),
        ("pipe.vmdk", "not a regular file"),
        ("link.vmdk", "symbolic link"),
        ("absent.vmdk", "not in the image's folder"),
        ("disk.vmdk", "the image itself"),
    ];
    for (name, why) in names {
        let text = format!("# Disk DescriptorFile\nparentCID=ffffffff\nRW 2048 FLAT \"{name}\" 0\n");
        std::fs::write(&path, text).unwrap();
        let (_, message) = refused(open_path(&path, OpenOptions::default()));
        assert!(message.contains(why), "{name}: {message}");
        let gaps = OpenOptions { unresolved: Unresolved::Gap, ..OpenOptions::default() };
        match open_path(&path, gaps) {
            Ok(image) => {
                assert!(matches!(image.map(0, 1).unwrap().backing, Backing::Missing { .. }), "{name}");
                image.read_at(0, &mut [0]).unwrap_err();
            }
            Err(error) => assert!(error.to_string().contains("itself"), "{name}: {error}"),
        }
    }
    for name in ["absolute-backing.qcow2", "protocol-backing.qcow2"] {
        let path = folder.path().join(name);
        std::fs::write(&path, fixture(name)).unwrap();
        let allowed = OpenOptions { allow_siblings: true, ..OpenOptions::default() };
        let (kind, message) = refused(open_path(&path, allowed));
        assert_eq!(kind, Kind::RefusedReference, "{message}");
    }
}

fn rustix_fifo(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    if !status.is_ok_and(|status| status.success()) {
        std::fs::create_dir(path).unwrap();
    }
}

#[test]
fn a_chain_of_parents_that_comes_back_is_an_error() {
    let folder = folder(&["overlay.qcow2"]);
    // The overlay calls its parent base.qcow2: a copy of itself, and itself under that name.
    let base = folder.path().join("base.qcow2");
    std::fs::copy(folder.path().join("overlay.qcow2"), &base).unwrap();
    let allowed = OpenOptions { allow_siblings: true, ..OpenOptions::default() };
    let (kind, message) = refused(open_path(&folder.path().join("overlay.qcow2"), allowed));
    assert_eq!(kind, Kind::Corrupt, "{message}");
    assert!(message.contains("its own ancestor"), "{message}");

    let copies: Vec<_> = (0..12).map(|n| folder.path().join(format!("copy{n}"))).collect();
    for copy in &copies {
        std::fs::copy(&base, copy).unwrap();
    }
    let many = OpenOptions { parents: copies, ..OpenOptions::default() };
    let (kind, message) = refused(open_path(&base, many));
    assert_eq!(kind, Kind::LimitExceeded, "{message}");
}

#[test]
fn a_differencing_vhd_is_read_over_its_parent() {
    let Some(child) = real_image("image-differential.vhd") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child.vhd");
    std::fs::write(&path, &child).unwrap();
    let (kind, message) = refused(open_path(&path, OpenOptions::default()));
    assert_eq!(kind, Kind::MissingParent, "{message}");
    assert!(message.contains("its parent image.vhd"), "{message}");
    let parent = folder.path().join("parent.vhd");
    std::fs::write(&parent, real_image("image.vhd").unwrap()).unwrap();
    let given = OpenOptions { parents: vec![parent.clone()], ..OpenOptions::default() };
    let image = open_path(&path, given).unwrap();
    // Its structures have wrong checksums, which is noted and no more.
    let notes = image.facts().notes.join("\n");
    assert!(notes.contains("checksum of the VHD footer") && !notes.contains("the parent"), "{notes}");
    let whole = read_in_odd_steps(image.as_ref());
    let base = read_in_odd_steps(open_path(&parent, OpenOptions::default()).unwrap().as_ref());
    // The child holds all of the disk, in the parent's state.
    assert!(whole == base && whole[1080..1082] == [0x53, 0xef]);
}

#[test]
fn a_raw_image_in_numbered_parts_is_one_disk() {
    let disk = fixture("disk.raw");
    for first in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        for (number, part) in disk.chunks(2 << 20).enumerate() {
            std::fs::write(folder.path().join(format!("disk.{:03}", number + first)), part).unwrap();
        }
        let path = folder.path().join(format!("disk.{first:03}"));
        let image = open_path(&path, OpenOptions::default()).unwrap();
        assert_eq!(image.facts().format, "split");
        same_disk(image.as_ref(), &disk, "split");

        std::fs::remove_file(folder.path().join(format!("disk.{:03}", first + 2))).unwrap();
        let (kind, message) = refused(open_path(&path, OpenOptions::default()));
        assert_eq!(kind, Kind::MissingParent, "{message}");
    }
}

#[test]
fn a_container_in_numbered_parts_is_opened_through_them() {
    let folder = tempfile::tempdir().unwrap();
    for (number, part) in fixture("zlib.qcow2").chunks(10_000).enumerate() {
        std::fs::write(folder.path().join(format!("disk.qcow2.{number:02}")), part).unwrap();
    }
    let image = open_path(&folder.path().join("disk.qcow2.00"), OpenOptions::default()).unwrap();
    assert_eq!(image.facts().format, "qcow2");
    same_disk(image.as_ref(), &fixture("disk.raw"), "split qcow2");
}

#[test]
fn a_missing_segment_is_refused_or_a_gap() {
    let folder = folder(&["plain.E01", "plain.E03"]);
    let path = folder.path().join("plain.E01");
    let (kind, message) = refused(open_path(&path, OpenOptions::default()));
    assert_eq!(kind, Kind::MissingParent, "{message}");
    assert!(message.contains("plain.E02"), "{message}");
    let gaps = OpenOptions { unresolved: Unresolved::Gap, ..OpenOptions::default() };
    let image = open_path(&path, gaps).unwrap();
    assert!(image.facts().unread[0].contains("plain.E02"), "{:?}", image.facts().unread);
    let disk = fixture("disk.raw");
    agree_or_fail(image.as_ref(), &disk, "two segments missing");
    assert!(matches!(image.map(8 << 20, 1).unwrap().backing, Backing::Missing { .. }));
}

#[test]
fn every_flipped_byte_of_an_expert_witness_chunk_is_noticed() {
    let folder = folder(&["plain.E01", "plain.E02", "plain.E03"]);
    let path = folder.path().join("plain.E01");
    let file = fixture("plain.E01");
    let at = file.windows(20).position(|window| window.starts_with(b"first line 000000 of")).unwrap();
    std::fs::write(&path, patched(&file, at + 5, b"X")).unwrap();
    let image = open_path(&path, OpenOptions::default()).unwrap();
    assert_eq!(image.read_at(0, &mut [0; 16]).unwrap_err().kind(), Kind::Corrupt);
    agree_or_fail(image.as_ref(), &fixture("disk.raw"), "a flipped byte");
}

/// A big-endian sum of bytes, inverted, put where VHD structures have it.
fn seal_vhd(structure: &mut [u8], field: usize) {
    structure[field..field + 4].fill(0);
    let sum = !structure.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()));
    structure[field..field + 4].copy_from_slice(&sum.to_be_bytes());
}

/// Differencing images made from dynamic ones, because no program at hand writes them: the middle of the disk
/// is left to the parent.
fn differencing() -> [(&'static str, Vec<u8>, Vec<u8>); 3] {
    let mut vdi = fixture("dynamic.vdi");
    let parent_vdi = vdi.clone();
    vdi[76] = 4;
    let parent_id = vdi[392..408].to_vec();
    vdi[424..440].copy_from_slice(&parent_id);
    let map = 512 + 3 * 4;
    vdi[map..map + 4].fill(0xff);

    let mut vhdx = fixture("dynamic.vhdx");
    let parent_vhdx = vhdx.clone();
    let parameters = 0x30_0000 + 0x1_0000 + 4;
    assert_eq!(vhdx[parameters], 0, "the metadata lie elsewhere");
    vhdx[parameters] |= 2;
    // Block 3 is not there; sector 0 of block 0 is left to the parent by a bitmap at the end of the file.
    let table = 0x20_0000;
    vhdx[table + 3 * 8..table + 4 * 8].fill(0);
    let bitmap = vhdx.len().next_multiple_of(1 << 20);
    vhdx.resize(bitmap + (1 << 20), 0xff);
    vhdx[bitmap] = 0xfe;
    vhdx[table] = vhdx[table] & !7 | 7;
    let entry = (bitmap as u64 | 6).to_le_bytes();
    vhdx[table + 4096 * 8..table + 4097 * 8].copy_from_slice(&entry);
    let data =
        usize::try_from(u64::from_le_bytes(vhdx[table..table + 8].try_into().unwrap()) & !0xf_ffff).unwrap();
    vhdx[data..data + 512].fill(0xdd);

    let mut vhd = fixture("dynamic.vhd");
    let parent_vhd = vhd.clone();
    let end = vhd.len() - 512;
    for footer in [0, end] {
        vhd[footer + 63] = 4;
        seal_vhd(&mut vhd[footer..footer + 512], 64);
    }
    let id = vhd[68..84].to_vec();
    vhd[512 + 40..512 + 56].copy_from_slice(&id);
    vhd[512 + 64..512 + 84].copy_from_slice(b"\0p\0a\0r\0e\0n\0t\0.\0v\0h\0d");
    seal_vhd(&mut vhd[512..1536], 36);
    let table = usize::try_from(u64::from_be_bytes(vhd[512 + 16..512 + 24].try_into().unwrap())).unwrap();
    vhd[table + 4..table + 8].fill(0xff);
    // The second sector of the first block is the parent's.
    let block = 512 * u32::from_be_bytes(vhd[table..table + 4].try_into().unwrap()) as usize;
    vhd[block] &= !0x40;
    vhd[block + 512 + 512..block + 512 + 1024].fill(0xdd);
    [("vdi", vdi, parent_vdi), ("vhdx", vhdx, parent_vhdx), ("vhd", vhd, parent_vhd)]
}

#[test]
fn a_differencing_image_takes_what_it_lacks_from_its_parent() {
    for (format, child, parent) in differencing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, parent_path) =
            (folder.path().join("child"), folder.path().join(format!("parent.{format}")));
        std::fs::write(&path, &child).unwrap();
        std::fs::write(&parent_path, &parent).unwrap();
        let (kind, message) = refused(open_path(&path, OpenOptions::default()));
        assert_eq!(kind, Kind::MissingParent, "{format}: {message}");

        let given = OpenOptions { parents: vec![parent_path], ..OpenOptions::default() };
        let image = open_path(&path, given).unwrap();
        same_disk(image.as_ref(), &disk_of(image.size()), format);

        let delta = open_delta(child).unwrap();
        agree_or_fail(delta.as_ref(), &disk_of(delta.size()), format);
        let Backing::Missing { .. } = delta.map(3 << 20, 1).unwrap().backing else {
            panic!("{format}: no gap")
        };
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// The differencing images again, with a parent of this name: in the header and in a locator of a VHD, in the
/// locator of a VHDX.
fn with_parent(name: &str) -> [(&'static str, Vec<u8>); 3] {
    let [_, (_, mut vhdx, _), (_, vhd, _)] = differencing();
    let mut header = vhd.clone();
    header[512 + 64..512 + 576].fill(0);
    let big = utf16(name, u16::to_be_bytes);
    header[512 + 64..512 + 64 + big.len()].copy_from_slice(&big);
    seal_vhd(&mut header[512..1536], 36);

    let (mut locator, little) = (vhd, utf16(name, u16::to_le_bytes));
    let place = locator.len();
    locator.extend(&little);
    locator.resize(place + 512, 0);
    // The footer stands at the end.
    locator.extend_from_within(place - 512..place);
    let entry = 512 + 576;
    locator[entry..entry + 4].copy_from_slice(b"W2ru");
    locator[entry + 8..entry + 12].copy_from_slice(&u32::try_from(little.len()).unwrap().to_be_bytes());
    locator[entry + 16..entry + 24].copy_from_slice(&(place as u64).to_be_bytes());
    seal_vhd(&mut locator[512..1536], 36);

    let key = utf16("relative_path", u16::to_le_bytes);
    let mut item = vec![0; 18];
    item.extend(1u16.to_le_bytes());
    item.extend(32u32.to_le_bytes());
    item.extend((32 + u32::try_from(key.len()).unwrap()).to_le_bytes());
    item.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
    item.extend(u16::try_from(little.len()).unwrap().to_le_bytes());
    item.extend(key.into_iter().chain(little));
    let (region, inside) = (0x30_0000, 0x1_8000);
    let count = vhdx[region + 10];
    vhdx[region + 10] = count + 1;
    let entry = region + 32 * (1 + usize::from(count));
    let locator_guid = *b"\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c";
    vhdx[entry..entry + 16].copy_from_slice(&locator_guid);
    let length = u32::try_from(item.len()).unwrap();
    for (field, value) in [(16, u32::try_from(inside).unwrap()), (20, length), (24, 4)] {
        vhdx[entry + field..entry + field + 4].copy_from_slice(&value.to_le_bytes());
    }
    vhdx[region + inside..region + inside + item.len()].copy_from_slice(&item);
    [("header of a VHD", header), ("locator of a VHD", locator), ("locator of a VHDX", vhdx)]
}

#[test]
fn parents_of_a_vhd_and_a_vhdx_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("child"), folder.path().join("secret.vhd"));
    std::fs::write(&secret, fixture("dynamic.vhd")).unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("link.vhd")).unwrap();
    let allowed = OpenOptions { allow_siblings: true, ..OpenOptions::default() };
    let inside = folder.path().file_name().unwrap().to_str().unwrap();
    let relative = format!("..\\{inside}\\secret.vhd");
    let names = [
        (secret.to_str().unwrap(), "bare file name"),
        (relative.as_str(), "bare file name"),
        ("C:\\secret.vhd", "bare file name"),
        ("nbd://localhost/x", "bare file name"),
        ("json:{}", "bare file name"),
        ("link.vhd", "symbolic link"),
    ];
    for (name, why) in names {
        for (what, bytes) in with_parent(name) {
            std::fs::write(&path, bytes).unwrap();
            let (kind, message) = refused(open_path(&path, allowed.clone()));
            assert_eq!(kind, Kind::RefusedReference, "{what}, {name}: {message}");
            assert!(message.contains(why), "{what}, {name}: {message}");
            let (kind, message) = refused(open_path(&path, OpenOptions::default()));
            assert_eq!(kind, Kind::MissingParent, "{what}, {name}: {message}");
        }
    }
    // A bare name is what is followed, so that the names above do reach the check.
    for (what, bytes) in with_parent("secret.vhd") {
        let parent = if what.ends_with("VHDX") { "dynamic.vhdx" } else { "dynamic.vhd" };
        std::fs::write(&secret, fixture(parent)).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let opened = open_path(&path, allowed.clone());
        assert!(opened.is_ok(), "{what}: {opened:?}");
    }
}
