//! The Sleuth Kit as a second opinion on deleted files: what `icat` recovers is recovered here as well, or a part
//! of it belongs to another file by now. Skipped where its programs are not installed.

use crate::support::{fixture, image, real_image};
use residue::filesystem::{Entry, EntryState, FileSystem, Recognised, StreamName, Walked, recognise};
use residue::io::{ReadAt, read_vec};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Volumes without a partition table around them.
const FIXTURES: [&str; 8] = [
    "ext4/planted.img",
    "ext4/deleted.img",
    "ext4/reused.img",
    "ext4/deleted-ext2.img",
    "ntfs/planted.img",
    "ntfs/mixed.img",
    "ntfs/clusters512.img",
    "ntfs/sectors4096.img",
];

/// A line of `fls -d`.
struct Listed {
    number: u64,
    attribute: String,
    /// The number is another file's by now: the line joins an old name with that file's content.
    reused: bool,
    name: String,
}

fn fls(file: &Path) -> Option<Vec<Listed>> {
    let output = match Command::new("fls").args(["-r", "-d", "-p"]).arg(file).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: fls is not there ({error})");
            return None;
        }
    };
    let parse = |line: &str| {
        let (head, name) = line.split_once(":\t")?;
        let (_, id) = head.rsplit_once("* ")?;
        let (id, reused) = match id.strip_suffix("(realloc)") {
            Some(id) => (id, true),
            None => (id, false),
        };
        let number = id.split('-').next()?.parse().ok()?;
        Some(Listed { number, attribute: id.to_owned(), reused, name: name.to_owned() })
    };
    Some(String::from_utf8_lossy(&output.stdout).lines().filter_map(parse).collect())
}

fn icat(file: &Path, listed: &Listed) -> Vec<u8> {
    let output = Command::new("icat").arg(file).arg(&listed.attribute).output().unwrap();
    output.stdout
}

fn deleted(fs: &dyn FileSystem) -> Vec<Entry> {
    let mut entries = Vec::new();
    fs.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked
            && entry.state == EntryState::Deleted
        {
            entries.push(entry);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    entries
}

/// What comparing one file came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    /// A part of it is another file's by now, and is not given out here.
    Overwritten,
    Different,
}

fn compare(fs: &dyn FileSystem, entry: &Entry, listed: &Listed, theirs: &[u8]) -> Outcome {
    let stream = match listed.name.rsplit_once(':') {
        Some((_, stream)) => StreamName::Named(stream.as_bytes().to_vec()),
        None => StreamName::Data,
    };
    let Ok(content) = fs.open(entry, &stream) else { return Outcome::Different };
    match read_vec(content.as_ref(), 0, usize::try_from(content.size()).unwrap()) {
        Ok(ours) if ours == theirs => Outcome::Same,
        Err(_) if entry.notes.iter().any(|note| note.contains("overwritten")) => Outcome::Overwritten,
        _ => Outcome::Different,
    }
}

fn check(name: &str, bytes: Vec<u8>) -> Option<(usize, usize)> {
    let file = image(&bytes);
    let lines = fls(file.path())?;
    let volume: Arc<dyn ReadAt> = Arc::new(bytes);
    let Recognised::Opened(fs) = recognise(&volume) else { panic!("{name}: not opened") };
    let entries = deleted(fs.as_ref());
    let (mut same, mut overwritten) = (0, 0);
    for listed in lines.iter().filter(|listed| !listed.reused) {
        let theirs = icat(file.path(), listed);
        // Directories are indexes on one and blocks on the other; records without content say nothing.
        let of: Vec<_> = entries.iter().filter(|entry| fs.number(entry.id).number == listed.number).collect();
        let is_file = of.iter().all(|entry| entry.kind == residue::filesystem::EntryKind::File);
        if theirs.is_empty() || !is_file {
            continue;
        }
        let outcomes: Vec<_> = of.iter().map(|entry| compare(fs.as_ref(), entry, listed, &theirs)).collect();
        if outcomes.contains(&Outcome::Same) {
            same += 1;
        } else {
            let what = format!("{name}: {} {} ({} bytes)", listed.attribute, listed.name, theirs.len());
            assert!(outcomes.contains(&Outcome::Overwritten), "{what}: {outcomes:?}");
            overwritten += 1;
        }
    }
    println!(
        "{name}: {} lines of fls, {same} alike, {overwritten} partly overwritten, {} deleted entries here",
        lines.len(),
        entries.len()
    );
    Some((same, overwritten))
}

#[test]
fn what_icat_recovers_is_recovered_alike() {
    let mut same = 0;
    for name in FIXTURES {
        let Some((alike, _)) = check(name, fixture(name)) else { return };
        same += alike;
    }
    assert!(same > 10, "{same}");
}

#[test]
fn on_images_of_others_icat_recovers_nothing_more() {
    for name in ["windows_volume.qcow2", "ext2.qcow2", "test_disk1.raw"] {
        let Some(bytes) = real_image(name) else { return };
        let image = residue::container::open(Arc::new(bytes), None).unwrap();
        let size = usize::try_from(image.size()).unwrap();
        let disk = read_vec(image.as_ref(), 0, size).unwrap();
        if !matches!(recognise(&(Arc::new(disk.clone()) as Arc<dyn ReadAt>)), Recognised::Opened(_)) {
            println!("{name}: partitions around the volume, not compared");
            continue;
        }
        if check(name, disk).is_none() {
            return;
        }
    }
}
