//! Directories as sources: the same rules on an extracted tree, nothing outside of it, and nothing lost in silence.

use crate::support::{Scanned, fixture, image, scan};
use residue::error::Kind;
use residue::filesystem::{EntryKind, EntryState, FileSystem, StreamName, Walked};
use residue::finding::Finding;
use residue::io::{ReadAt, read_vec};
use residue::location::State;
use residue::scan::{self, Options};
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

const TOKEN: &str = "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";

fn line() -> String {
    format!("export GITHUB_TOKEN={TOKEN}\n")
}

fn scanned(path: &Path) -> Scanned {
    let scanned = scan(path, &Options { show_secrets: true, ..Options::default() });
    assert!(scanned.summary.coverage.is_whole(), "{:?}", scanned.summary.coverage);
    scanned
}

fn tokens(scanned: &Scanned) -> Vec<&Finding> {
    scanned.findings.iter().filter(|finding| finding.secret_shown.as_deref() == Some(TOKEN)).collect()
}

/// Copies the allocated files of a file system to a folder of this machine.
fn extract(filesystem: &dyn FileSystem, to: &Path) {
    let mut entries = Vec::new();
    filesystem
        .walk(&mut |walked| {
            if let Walked::Entry(entry) = walked
                && entry.state == EntryState::Allocated
            {
                entries.push(entry);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    for entry in entries {
        for path in filesystem.paths(entry.id).unwrap_or_default().all {
            let path = to.join(String::from_utf8(path).unwrap().trim_start_matches('/'));
            let content = || filesystem.open(&entry, &StreamName::Data).unwrap();
            let bytes = |content: &dyn ReadAt| read_vec(content, 0, content.size() as usize).unwrap();
            match entry.kind {
                EntryKind::Directory => fs::create_dir_all(&path).unwrap(),
                EntryKind::File => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, bytes(content().as_ref())).unwrap();
                    let mode = u32::from(entry.owner.mode.unwrap_or(0o644)) | 0o600;
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                }
                EntryKind::Symlink => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    let target = String::from_utf8(bytes(content().as_ref())).unwrap();
                    symlink(target, &path).unwrap();
                }
                _ => {}
            }
        }
    }
}

/// Rule, path, place in the file, line and secret of what lies in files.
fn in_files(scanned: &Scanned) -> BTreeSet<String> {
    let in_file = |finding: &&Finding| finding.place.state == Some(State::Allocated);
    let told = |finding: &Finding| {
        let place = &finding.place;
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            finding.rule,
            place.path,
            place.stream,
            place.member,
            place.file_offset,
            place.line,
            finding.secret_shown,
            finding.known_good
        )
    };
    scanned.findings.iter().filter(in_file).map(told).collect()
}

#[test]
fn an_extracted_tree_gives_the_findings_of_its_image() {
    let file = image(&fixture("variants/disk.raw"));
    let disk = scan::open(file.path(), &Options::default()).unwrap();
    let volume = disk.volumes.iter().find(|volume| volume.filesystem().is_some()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    extract(volume.filesystem().unwrap().as_ref(), folder.path());
    let (image, tree) = (scanned(file.path()), scanned(folder.path()));
    let name = &volume.volume.name;
    let of_volume = Scanned {
        findings: image.findings.into_iter().filter(|finding| finding.place.volume == *name).collect(),
        ..Scanned::default()
    };
    let (expected, found) = (in_files(&of_volume), in_files(&tree));
    assert!(expected.len() > 10, "{expected:#?}");
    let lost: Vec<_> = expected.difference(&found).collect();
    let added: Vec<_> = found.difference(&expected).collect();
    assert!(lost.is_empty() && added.is_empty(), "lost: {lost:#?}\nadded: {added:#?}");
    assert!(tree.findings.iter().all(|finding| finding.place.disk_offset.is_none()));
    assert!(tree.findings.iter().all(|finding| finding.place.image_offset.is_none()));
}

#[test]
fn links_are_not_followed_and_what_is_not_a_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (outside, inside) = (folder.path().join("outside"), folder.path().join("inside"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&inside).unwrap();
    fs::write(outside.join("secret"), line()).unwrap();
    fs::write(inside.join("harmless"), "nothing\n").unwrap();
    symlink(outside.join("secret"), inside.join("file")).unwrap();
    symlink("../outside", inside.join("folder")).unwrap();
    symlink(".", inside.join("loop")).unwrap();
    // Nobody writes into the pipe: opening it would wait for ever.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
    let scanned = scanned(&inside);
    assert!(tokens(&scanned).is_empty(), "{:#?}", scanned.findings);
    assert_eq!(scanned.summary.coverage.size, 8);
    let header = scanned.header.unwrap();
    let notes = &header.volumes[0].filesystem.as_ref().unwrap().notes;
    assert!(notes.iter().any(|note| note.starts_with("2 devices, sockets and pipes")), "{notes:?}");
    assert_eq!(header.container.format, "directory");
}

#[test]
fn a_file_with_several_names_is_read_once_and_all_names_are_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b"), line()).unwrap();
    fs::hard_link(folder.path().join("b"), folder.path().join("a")).unwrap();
    let scanned = scanned(folder.path());
    let found = tokens(&scanned);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].place.path.as_deref(), Some("/a"));
    assert!(found[0].evidence.contains(&"also named /b".to_owned()), "{:?}", found[0].evidence);
    assert_eq!(scanned.summary.coverage.size, line().len() as u64);
}

#[test]
fn what_may_not_be_read_is_a_gap_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("open"), line()).unwrap();
    fs::write(folder.path().join("closed"), line()).unwrap();
    fs::create_dir(folder.path().join("shut")).unwrap();
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(folder.path().join("shut"), fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(folder.path().join("closed")).is_ok() {
        println!("skipped: permissions do not bind this user");
        return;
    }
    let scanned = scanned(folder.path());
    fs::set_permissions(folder.path().join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(tokens(&scanned).len(), 1);
    let reasons: Vec<_> = scanned.gaps.iter().map(|gap| gap.reason.as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("closed")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("shut")), "{reasons:?}");
    assert_eq!(scanned.summary.coverage.unread, line().len() as u64);
}

#[test]
fn a_file_that_changes_after_the_walk_is_a_gap_and_never_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let grows = folder.path().join("grows");
    let shrinks = folder.path().join("shrinks");
    let swapped = folder.path().join("swapped");
    for path in [&grows, &shrinks, &swapped] {
        fs::write(path, vec![b'x'; 10_000]).unwrap();
    }
    let disk = scan::open(folder.path(), &Options::default()).unwrap();
    let filesystem = disk.volumes[0].filesystem().unwrap();
    let content = |name: &str| {
        let entry = filesystem.entry(filesystem.find(name.as_bytes()).unwrap()).unwrap();
        filesystem.open(&entry, &StreamName::Data).unwrap()
    };
    let (grown, shrunk, other) = (content("/grows"), content("/shrinks"), content("/swapped"));
    fs::OpenOptions::new().append(true).mode(0o644).open(&grows).unwrap().set_len(20_000).unwrap();
    fs::OpenOptions::new().write(true).open(&shrinks).unwrap().set_len(5_000).unwrap();
    // The old file stays, so that its inode number does not come again.
    fs::rename(&swapped, folder.path().join("old")).unwrap();
    fs::write(&swapped, vec![b'y'; 10_000]).unwrap();
    assert_eq!(read_vec(grown.as_ref(), 0, 10_000).unwrap(), vec![b'x'; 10_000]);
    assert_eq!(read_vec(shrunk.as_ref(), 0, 5_000).unwrap(), vec![b'x'; 5_000]);
    assert_eq!(read_vec(shrunk.as_ref(), 4_000, 4_000).unwrap_err().kind(), Kind::Io);
    let error = read_vec(other.as_ref(), 0, 1).unwrap_err().to_string();
    assert!(error.contains("another file"), "{error}");
    let changed = disk.image.disturbances();
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(changed.iter().any(|change| change.contains("from 10000 to 20000 bytes")), "{changed:?}");
}

#[test]
fn sparse_files_cost_nothing_and_their_content_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    fs::write(&path, line()).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let scanned = scanned(folder.path());
    assert_eq!(tokens(&scanned).len(), 1);
    assert_eq!(scanned.summary.coverage.size, 1 << 40);
    assert!(scanned.summary.coverage.scanned < 1 << 20, "{:?}", scanned.summary.coverage);
}

#[test]
fn members_of_archives_and_attributes_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, line().as_bytes()).unwrap();
    fs::write(folder.path().join("log.gz"), packed.finish().unwrap()).unwrap();
    let path = folder.path().join("marked");
    fs::write(&path, "nothing").unwrap();
    let attribute =
        rustix::fs::setxattr(&path, "user.note", line().as_bytes(), rustix::fs::XattrFlags::empty());
    let scanned = scanned(folder.path());
    let found: BTreeSet<_> =
        tokens(&scanned).iter().filter_map(|finding| finding.place.path.clone()).collect();
    assert!(found.contains("/log.gz"), "{found:?}");
    match attribute {
        Ok(()) => assert!(found.contains("/marked"), "{found:?}"),
        Err(errno) => println!("skipped: attributes cannot be set here: {errno}"),
    }
}

#[test]
fn names_of_any_bytes_are_listed_and_found() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = b"a \xff\x1b[2J\n";
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), line()).unwrap();
    let scanned = scanned(folder.path());
    assert_eq!(tokens(&scanned)[0].place.path.as_deref(), Some("/a %FF%1B[2J%0A"));
    let disk = scan::open(folder.path(), &Options::default()).unwrap();
    let filesystem = disk.volumes[0].filesystem().unwrap();
    filesystem.find(&[b"/", name.as_slice()].concat()).unwrap();
    assert_eq!(filesystem.find(b"/missing").unwrap_err().kind(), Kind::NotFound);
}
