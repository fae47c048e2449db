//! Damaged NTFS volumes: what is lost is said, and costs nothing besides.

use super::{digest, fixture, record_offset};
use crate::support::{Random, opened, walk};
use residue::error::Kind;
use residue::filesystem::{EntryId, Place, Recognised, StreamName, recognise};
use residue::io::ReadAt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Uses everything that a reader offers, and reads the first bytes of each stream.
fn exercise(image: Vec<u8>) -> (usize, usize) {
    let Recognised::Opened(ntfs) = recognise(&(Arc::new(image) as Arc<dyn ReadAt>)) else { return (0, 0) };
    let (entries, problems) = walk(&*ntfs);
    for entry in entries.iter().step_by(7) {
        for stream in &entry.streams {
            if let Ok(content) = ntfs.open(entry, &stream.name) {
                // Damage may end the reading; it must not end anything else.
                let _ = digest(&*content, 200_000);
                let _ = content.size().checked_sub(1).map(|last| content.map(last, u64::MAX));
            }
        }
        let _ = ntfs.paths(entry.id);
    }
    let _ = ntfs.list(ntfs.root(), &mut |_| ControlFlow::Continue(()));
    let _ = ntfs.find(b"/dir/sub/second name");
    let _ = ntfs.unallocated(&mut |_| {});
    (entries.len(), problems.len())
}

#[test]
fn random_damage_never_stops_the_reader() {
    let seed = std::env::var("RESIDUE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_u64);
    let image = fixture("clusters512");
    // The records and the boot sector are where damage matters.
    let table = opened(image.clone()).entry(EntryId(0)).unwrap();
    let runs: Vec<_> = table.streams[0].runs().to_vec();
    for round in 0..120_u64 {
        let mut random = Random(seed.wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut damaged = image.clone();
        for _ in 0..=random.below(40) {
            let run = runs[random.below(runs.len())];
            let Place::At(start) = run.place else { continue };
            let record = random.below(usize::try_from(run.length / 1024).unwrap()) * 1024;
            // Mostly in the used part of a record; sometimes in the boot sector.
            let at = match random.below(30) {
                0 => random.below(90),
                _ => usize::try_from(start).unwrap() + record + random.below(480),
            };
            damaged[at] = match random.below(3) {
                0 => 0xff,
                1 => damaged[at] ^ (1 << random.below(8)),
                _ => u8::try_from(random.below(256)).unwrap(),
            };
        }
        println!("seed {seed} round {round}");
        let started = std::time::Instant::now();
        exercise(damaged);
        assert!(started.elapsed().as_secs() < 20, "seed {seed} round {round}: {:?}", started.elapsed());
    }
}

#[test]
fn random_damage_to_indexes_and_the_change_journal_never_stops_the_reader() {
    let image = fixture("planted");
    let ntfs = opened(image.clone());
    let streams = walk(&*ntfs).0.into_iter().flat_map(|entry| entry.streams).filter(|stream| {
        let name = stream.name.shown().unwrap_or_default();
        name == "$J" || name.ends_with("$I30")
    });
    let runs: Vec<_> = streams.flat_map(|stream| stream.runs().to_vec()).collect();
    assert!(runs.len() > 1, "{runs:?}");
    for round in 1..=40_u64 {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut damaged = image.clone();
        for _ in 0..200 {
            let run = runs[random.below(runs.len())];
            let Place::At(start) = run.place else { continue };
            let at = usize::try_from(start).unwrap() + random.below(usize::try_from(run.length).unwrap());
            damaged[at] = [0, 0xff, 1, 0x80][random.below(4)];
        }
        let started = std::time::Instant::now();
        exercise(damaged);
        assert!(started.elapsed().as_secs() < 20, "round {round}: {:?}", started.elapsed());
    }
}

#[test]
fn damage_in_one_record_is_said_and_stays_there() {
    type Damage = fn(&mut [u8]);
    let cases: [(&str, Damage, &str); 5] = [
        ("torn", |record| record[510] ^= 0xff, "fixup"),
        ("bad", |record| record[..4].copy_from_slice(b"BAAD"), "BAAD"),
        ("foreign", |record| record[..4].copy_from_slice(b"JUNK"), "found JUNK"),
        ("attribute of length 0", |record| record[0x38 + 4] = 0, "length of attribute"),
        ("used size", |record| record[0x19] = 0xff, "used bytes"),
    ];
    let image = fixture("clusters512");
    let whole = opened(image.clone());
    let (sound, none) = walk(&*whole);
    assert!(none.is_empty());
    let id = whole.find(b"/dir/large").unwrap();
    for (name, damage, message) in cases {
        let mut damaged = image.clone();
        let at = record_offset(&image, id.0);
        damage(&mut damaged[at..at + 1024]);
        let (entries, problems) = walk(&*opened(damaged));
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        assert!(problems[0].contains(message), "{name}: {problems:?}");
        for entry in sound.iter().filter(|entry| entry.id != id) {
            assert!(entries.contains(entry), "{name}: {:?}", entry.id);
        }
    }
}

#[test]
fn a_lost_extension_record_is_a_problem_and_its_part_is_not_zeros() {
    let image = fixture("mixed");
    let ntfs = opened(image.clone());
    let id = ntfs.find(b"/pieces").unwrap();
    let before = ntfs.entry(id).unwrap();
    let stream = before.stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).unwrap().name.clone();
    let list = ntfs.open(&before, &stream).unwrap();
    let mut bytes = vec![0; usize::try_from(list.size()).unwrap()];
    list.read_at(0, &mut bytes).unwrap();
    // The last entry of the list: its record holds the stream's last piece.
    let mut last = 0;
    let mut at = 0;
    while at < bytes.len() {
        last = u64::from(u32::from_le_bytes(bytes[at + 16..at + 20].try_into().unwrap()));
        at += usize::from(u16::from_le_bytes(bytes[at + 4..at + 6].try_into().unwrap()));
    }
    assert_ne!(last, id.0);
    let mut damaged = image.clone();
    let at = record_offset(&image, last);
    damaged[at..at + 1024].fill(0);
    let ntfs = opened(damaged);
    let (entries, problems) = walk(&*ntfs);
    assert!(problems.iter().any(|problem| problem.contains(&format!("record {last}"))), "{problems:?}");
    let after = entries.iter().find(|entry| entry.id == id).unwrap();
    assert_eq!(after.size(), before.size());
    assert!(after.streams[0].runs().len() < before.streams[0].runs().len());
    let content = ntfs.open(after, &StreamName::Data).unwrap();
    assert_eq!(content.read_at(after.size() - 10, &mut [0; 10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(0, &mut [0; 4096]).unwrap();
}

#[test]
fn a_broken_boot_sector_and_a_broken_first_record_have_their_copies() {
    let image = fixture("mixed");
    let expected = walk(&*opened(image.clone())).0;
    let mut boot = image.clone();
    boot[..512].fill(0);
    let ntfs = opened(boot);
    assert_eq!(walk(&*ntfs).0, expected);
    assert!(ntfs.facts().notes[0].contains("backup"), "{:?}", ntfs.facts().notes);

    let mut first = image.clone();
    let at = record_offset(&image, 0);
    first[at..at + 1024].fill(0xaa);
    let ntfs = opened(first);
    assert!(ntfs.facts().notes[0].contains("$MFTMirr"), "{:?}", ntfs.facts().notes);
    let (entries, problems) = walk(&*ntfs);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        expected.iter().map(|entry| entry.id).collect::<Vec<_>>()
    );

    let mut both = image;
    both[at..at + 1024].fill(0xaa);
    let mirror = usize::try_from(u64::from_le_bytes(both[0x38..0x40].try_into().unwrap())).unwrap() * 4096;
    both[mirror..mirror + 1024].fill(0xaa);
    match recognise(&(Arc::new(both) as Arc<dyn ReadAt>)) {
        Recognised::Opaque { facts, error } => {
            assert_eq!(facts.kind, "ntfs");
            assert!(error.to_string().contains("neither is $MFTMirr"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_compressed_units_cost_their_own_chunks_only() {
    let image = fixture("mixed");
    let ntfs = opened(image.clone());
    let entry = ntfs.entry(ntfs.find(b"/compressed/text").unwrap()).unwrap();
    let content = ntfs.open(&entry, &StreamName::Data).unwrap();
    let mut before = vec![0; usize::try_from(content.size()).unwrap()];
    content.read_at(0, &mut before).unwrap();
    let Place::At(start) = entry.streams[0].runs()[0].place else { panic!("a hole") };
    let mut damaged = image;
    // The first token group of the first chunk: references to bytes that do not exist yet.
    let at = usize::try_from(start).unwrap();
    damaged[at + 2..at + 12].fill(0xff);
    let ntfs = opened(damaged);
    let content = ntfs.open(&ntfs.entry(entry.id).unwrap(), &StreamName::Data).unwrap();
    let mut chunk = vec![0; 4096];
    assert_eq!(content.read_at(100, &mut chunk[..10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(4096, &mut chunk).unwrap();
    assert_eq!(chunk, before[4096..8192]);
    content.read_at(65_536, &mut chunk).unwrap();
    assert_eq!(chunk, before[65_536..65_536 + 4096]);
}

#[test]
fn records_and_lists_that_refer_to_themselves_end() {
    let image = fixture("mixed");
    let ntfs = opened(image.clone());
    let id = ntfs.find(b"/pieces").unwrap();
    let at = record_offset(&image, id.0);
    let reference = |number: u64, sequence: u16| (number | u64::from(sequence) << 48).to_le_bytes();
    let sequence = u16::from_le_bytes(image[at + 16..at + 18].try_into().unwrap());

    // The base record names itself as its base.
    let mut damaged = image.clone();
    damaged[at + 32..at + 40].copy_from_slice(&reference(id.0, sequence));
    let entry = opened(damaged).entry(id).unwrap();
    assert_eq!(entry, ntfs.entry(id).unwrap());

    // A directory is its own parent, another one is a child of its own child.
    let (dir, sub) = (ntfs.find(b"/dir").unwrap(), ntfs.find(b"/dir/sub").unwrap());
    let mut damaged = image.clone();
    let name = record_offset(&image, dir.0) + 0x98;
    assert_eq!(damaged[name..name + 6], [5, 0, 0, 0, 0, 0], "the parent reference of the name");
    let child = u16::from_le_bytes(image[record_offset(&image, sub.0) + 16..][..2].try_into().unwrap());
    damaged[name..name + 8].copy_from_slice(&reference(sub.0, child));
    let ntfs = opened(damaged);
    assert_eq!(ntfs.paths(sub).unwrap().all, [b"/$OrphanFiles/sub".to_vec()]);
    assert_eq!(ntfs.paths(dir).unwrap().all, [b"/$OrphanFiles/dir".to_vec()]);
    walk(&*ntfs);
}

#[test]
fn damage_to_the_log_costs_what_it_hits() {
    let image = fixture("logged");
    let ntfs = opened(image.clone());
    let run = ntfs.entry(EntryId(2)).unwrap().streams[0].runs()[0];
    let Place::At(start) = run.place else { panic!("{run:?}") };
    // The restart pages, the copies and the pages in use.
    let (start, used) = (usize::try_from(start).unwrap(), 7 * 4096);
    let former = |image: Vec<u8>| {
        let ntfs = opened(image);
        let (entries, problems) = walk(&*ntfs);
        assert_eq!(problems, Vec::<String>::new());
        for at in (0..used as u64).step_by(61) {
            let _ = ntfs.about(EntryId(2), &StreamName::Data, at);
        }
        entries.iter().filter(|entry| ntfs.number(entry.id).version.is_some()).count()
    };
    assert_eq!(former(image.clone()), 7);
    // Restart pages only say what the length of the file says as well.
    let mut damaged = image.clone();
    damaged[start..start + 2 * 4096].fill(0);
    assert_eq!(former(damaged), 7);
    let mut left = [0; 2];
    for round in 1..=200_u64 {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut damaged = image.clone();
        for _ in 0..=random.below(60) {
            let at = start + random.below(used);
            // Ends of sectors guard their pages: left alone, damage reaches what is behind the guard.
            if at % 512 < 510 {
                damaged[at] = match random.below(4) {
                    0 => 0xff,
                    1 => damaged[at] ^ (1 << random.below(8)),
                    2 => 0,
                    _ => u8::try_from(random.below(256)).unwrap(),
                };
            }
        }
        let found = former(damaged);
        assert!(found <= 32 * 7, "round {round}: {found}");
        left[usize::from(found < 7)] += 1;
    }
    assert!(left[0] > 10 && left[1] > 10, "{left:?}");
}
