//! Disk images in files of a disk: opened, found in once, and named where they are not opened.
//!
//! `testdata/volumes/make-nested.sh` makes the disk with qemu-img and e2fsprogs.

use crate::support::{Random, fixture, scan, sparse_image, testdata, token};
use residue::coverage::GapKind;
use residue::filesystem::{Place, Recognised};
use residue::location::State;
use residue::scan::Options;
use std::collections::BTreeMap;

fn disk() -> Vec<u8> {
    fixture("volumes/nested.disk")
}

/// Volume, path, token.
fn truth() -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(testdata("volumes/nested.truth")).unwrap();
    let line = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    text.lines().map(line).collect()
}

fn options() -> Options {
    Options { show_secrets: true, only: vec!["aws-access-key-id".into()], ..Options::default() }
}

#[test]
fn a_secret_in_a_nested_image_is_found_once_under_its_innermost_file() {
    let bytes = disk();
    let scanned = scan(sparse_image(&bytes).path(), &options());
    let mut found: BTreeMap<(String, String), Vec<_>> = BTreeMap::new();
    for finding in &scanned.findings {
        let key = (finding.place.volume.clone(), finding.secret_shown.clone().unwrap());
        found.entry(key).or_default().push(finding);
    }
    for [volume, path, token] in truth() {
        let all = found.remove(&(volume.clone(), token.clone())).unwrap_or_default();
        let [finding] = all.as_slice() else { panic!("{volume}: {} findings", all.len()) };
        assert_eq!(finding.place.path.as_deref(), Some(path.as_str()), "{volume}");
        assert!(
            finding.place.file_offset.is_some() && finding.place.line == Some(701),
            "{:?}",
            finding.place
        );
        // What is stored as it is has its place on the outer disk; what is compressed has none.
        let compressed = volume.contains("packed") || volume.contains("outer.qcow2");
        assert_eq!(finding.place.disk_offset.is_none(), compressed, "{:?}", finding.place);
        if let Some(offset) = finding.place.disk_offset {
            let start = usize::try_from(offset).unwrap();
            assert_eq!(&bytes[start..start + 20], token.as_bytes(), "{volume}");
        }
    }
    // The copy in the image that lies too deep is reported where it was reached: in the file of the last image.
    assert!(found.keys().all(|(volume, _)| volume.contains("deep.img")), "{:?}", found.keys());
    assert_eq!(found.len(), 1, "{:?}", found.keys());
    assert!(scanned.summary.coverage.is_whole(), "{:?}", scanned.summary.coverage);
    assert!(scanned.summary.coverage.decoded > 0);
}

/// Volume, path, state and offset in the file.
type Owner = (String, Option<&'static str>, State, Option<u64>);

#[test]
fn every_block_of_a_nested_file_and_of_nested_free_space_has_its_own_owner() {
    let mut bytes = disk();
    let open = residue::scan::open(sparse_image(&bytes).path(), &options()).unwrap();
    let mut expected: BTreeMap<String, Owner> = BTreeMap::new();
    let end = bytes.len() as u64;
    for inner in open.volumes.iter().filter(|open| open.nested) {
        let Recognised::Opened(filesystem) = &inner.content else { continue };
        let Ok(id) = filesystem.find(b"/etc/app.conf") else { continue };
        let entry = filesystem.entry(id).unwrap();
        let mut plant = |at: u64, path, state, logical| {
            let Some(start) = inner.volume.to_disk(at).filter(|&start| start < end) else { return };
            let text = format!(" {} ", token(start));
            let from = usize::try_from(start).unwrap() - 1;
            bytes[from..from + text.len()].copy_from_slice(text.as_bytes());
            let name = inner.volume.name.clone();
            expected.insert(text.trim().to_owned(), (name, path, state, logical));
        };
        for run in entry.streams[0].runs() {
            let Place::At(start) = run.place else { continue };
            for inside in (0..run.length).step_by(1024).filter(|at| run.logical + at + 100 < entry.size()) {
                let logical = run.logical + inside + 9;
                plant(start + inside + 9, Some("/etc/app.conf"), State::Allocated, Some(logical));
            }
        }
        let mut free = Vec::new();
        filesystem.unallocated(&mut |range| free.push(range)).unwrap();
        for at in free.into_iter().flat_map(|range| (range.start..range.end).step_by(32 << 10)) {
            plant(at + 50, None, State::Unallocated, None);
        }
    }
    assert!(expected.len() > 400, "{}", expected.len());
    let options = Options { per_file_max: u64::MAX, ..options() };
    let scanned = scan(sparse_image(&bytes).path(), &options);
    let mut wrong = Vec::new();
    for finding in &scanned.findings {
        let (place, secret) = (&finding.place, finding.secret_shown.as_deref().unwrap());
        let found = (place.volume.clone(), place.path.as_deref(), place.state.unwrap(), place.file_offset);
        match expected.remove(secret) {
            Some(wanted) if wanted == found => {}
            Some(wanted) => wrong.push(format!("{found:?} and not {wanted:?}")),
            None if truth().iter().any(|[.., token]| token == secret) => {}
            None => wrong.push(format!("{found:?} was not planted, or is there twice")),
        }
    }
    wrong.extend(expected.values().map(|wanted| format!("{wanted:?} is not found")));
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    assert!(scanned.summary.coverage.is_whole());
}

#[test]
fn what_is_not_opened_is_named() {
    let scanned = scan(sparse_image(&disk()).path(), &options());
    let gap = |part: &str| {
        let shown: Vec<_> = scanned.gaps.iter().map(|gap| (&gap.volume, &gap.path, &gap.reason)).collect();
        let gap = scanned.gaps.iter().find(|gap| gap.reason.contains(part));
        gap.unwrap_or_else(|| panic!("no gap says `{part}`: {shown:#?}"))
    };
    assert_eq!(gap("nested deeper than 3").kind, GapKind::Limited);
    let vault = gap("a LUKS1 volume");
    assert_eq!(vault.path.as_deref(), Some("/other/vault"));
    assert_eq!(vault.reason.matches("encrypted").count(), 1, "{}", vault.reason);
    // Its members are decoded.
    assert!(scanned.gaps.iter().all(|gap| !gap.reason.contains("squashfs")), "{:?}", scanned.gaps);
    assert_eq!(gap("base.qcow2").volume, "p1:/images/overlay.qcow2");
    let broken = scanned.gaps.iter().find(|gap| gap.path.as_deref() == Some("/other/broken.qcow2"));
    assert!(broken.is_some_and(|gap| gap.kind == GapKind::Limited), "{:?}", scanned.gaps);
    assert!(
        scanned.gaps.iter().all(|gap| gap.path.as_deref() != Some("/other/boot.bin")),
        "{:?}",
        scanned.gaps
    );
    assert!(scanned.gaps.iter().all(|gap| gap.disk_offset.is_none_or(|offset| offset < 66 << 20)));
}

#[test]
fn places_of_nested_findings_are_read_back() {
    let file = sparse_image(&disk());
    let disk = residue::scan::open(file.path(), &options()).unwrap();
    let scanned = scan(file.path(), &options());
    for finding in scanned.findings.iter().filter(|finding| finding.place.path.is_some()) {
        let at = &finding.place;
        let chain = residue::location::Chain {
            image: &at.image,
            volume: &at.volume,
            fs: at.fs,
            path: at.path.as_deref(),
            offset: at.file_offset,
            ..residue::location::Chain::default()
        };
        let short = format!("{}:{}", at.volume, at.path.as_deref().unwrap());
        for text in [chain.to_string(), short] {
            let place = residue::location::Place::parse(&text).unwrap();
            assert_eq!(place.volume.as_deref(), Some(at.volume.as_str()), "{text}");
            assert!(
                matches!(&place.target, residue::location::Target::Path(path) if *path == *at.path.as_ref().unwrap())
            );
        }
        assert!(
            disk.volumes.iter().any(|open| open.nested && open.volume.name == at.volume),
            "{}",
            at.volume
        );
    }
    let notes = disk.tiling.notes.join("\n");
    assert!(
        notes.contains("p1:/images/plain.qcow2 holds a qcow2 image of 4194304 bytes, mbr table"),
        "{notes}"
    );
}

#[test]
fn damage_in_nested_images_does_no_harm() {
    // A fixed sequence, so that a failure can be repeated.
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut random = move || random.next();
    let sound = disk();
    // Headers and tables of the containers start with their signatures, wherever the file lies.
    let signatures: [&[u8]; 5] = [b"QFI\xfb\0\0\0", b"KDMV\x01", b"vhdxfile", b"conectix", b"<<< "];
    let starts: Vec<usize> = (0..sound.len() / 512)
        .map(|sector| sector * 512)
        .filter(|&at| signatures.iter().any(|magic| sound[at..].starts_with(magic)))
        .collect();
    assert!(starts.len() >= 8, "{}", starts.len());
    for _ in 0..6 {
        let mut bytes = sound.clone();
        for &start in &starts {
            for _ in 0..4 {
                let reach = [128, 4096, 300_000][(random() % 3) as usize];
                let at = (start + 8 + (random() % reach) as usize).min(sound.len() - 8);
                bytes[at..at + 8].copy_from_slice(&random().to_le_bytes());
            }
        }
        let scanned = scan(sparse_image(&bytes).path(), &options());
        assert!(scanned.summary.coverage.is_whole());
    }
}
