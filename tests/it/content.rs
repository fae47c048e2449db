//! What lies in archives and compressed files is found, and what is hostile among them is bounded and named.

use crate::support::{Random, Scanned, fixture, found, image, scan, tar_block, tokens_only};
use residue::content::{self, Limits};
use residue::coverage::GapKind;
use residue::error::Kind;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::OnceLock;

/// The volume of files that `testdata/content/make.sh` makes, scanned once for all tests.
fn scanned() -> &'static Scanned {
    static SCANNED: OnceLock<Scanned> = OnceLock::new();
    SCANNED.get_or_init(|| scan_with(3, 1 << 20))
}

fn scan_with(threads: usize, unit: u64) -> Scanned {
    let file = image(&fixture("content/nested.img"));
    scan(file.path(), &tokens_only(threads, unit))
}

#[test]
fn secrets_inside_files_of_each_format_are_found_under_their_member() {
    let long = format!("{}/{}/deep", "d".repeat(90), "e".repeat(90));
    let (gnu, pax) = (format!("./{long}"), format!("./{long}"));
    let expected = [
        ("/unnamed.gz", "gzip", "2AA"),
        ("/renamed.gz", "app.log", "2AB"),
        ("/joined.gz", "gzip", "2AC"),
        ("/joined.gz", "gzip", "2AD"),
        ("/b.bz2", "bzip2", "2AE"),
        ("/x.xz", "xz", "2AF"),
        ("/z.zst", "zstd", "2AC"),
        ("/z.zst", "zstd", "2AG"),
        ("/l.lz4", "lz4", "2AH"),
        // What LZ4 cannot shorten stands in the file as it was: the disk's own bytes match as well.
        ("/l.lz4", "", "2AH"),
        ("/plain.tar", "etc/env", "2AI"),
        ("/gnu.tar", "./etc/env", "2AI"),
        ("/gnu.tar", &gnu, "2AJ"),
        ("/pax.tar.gz", "./etc/env", "2AI"),
        ("/pax.tar.gz", &pax, "2AJ"),
        ("/sparse.tar", "sparse", "2AK"),
        ("/app.jar", "WEB-INF/web.xml", "2AL"),
        ("/app.jar", "stored.txt", "2AM"),
        ("/jar-in-tar.tar.xz", "app.jar!/WEB-INF/web.xml", "2AL"),
        ("/jar-in-tar.tar.xz", "app.jar!/stored.txt", "2AM"),
        ("/piped.zip", "-", "2AO"),
        ("/lib.a", "object.o", "2AP"),
        ("/lib.a", "a-rather-long-name.o", "2AQ"),
        ("/x.deb", "data.tar.xz!/./opt/conf", "2AR"),
        ("/cut.gz", "gzip", "2AT"),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(path, member, secret)| (path.into(), member.into(), secret.into())).into();
    assert_eq!(found(scanned()), expected);
}

#[test]
fn offsets_count_in_the_member_and_on_the_disk_where_the_member_lies_there() {
    let bytes = fixture("content/nested.img");
    let mut on_disk = Vec::new();
    for finding in &scanned().findings {
        let (place, secret) = (&finding.place, finding.secret_shown.as_deref().unwrap());
        if !matches!(
            place.path.as_deref(),
            Some("/l.lz4" | "/joined.gz" | "/z.zst" | "/cut.gz" | "/sparse.tar")
        ) {
            // 300 lines of numbers and the key's name come first.
            let text: String = (1..=300).map(|n| format!("{n}\n")).collect();
            let before = text.len() + "aws_access_key_id = ".len();
            assert_eq!(place.file_offset, Some(before as u64), "{place:?}");
        }
        if let Some(offset) = place.disk_offset {
            assert_eq!(bytes[offset as usize..].get(..20), Some(secret.as_bytes()), "{place:?}");
            on_disk.push((place.path.as_deref().unwrap(), place.member.as_deref().unwrap_or_default()));
        }
    }
    // Stored members take the place of what the sweep of the disk saw: none is told twice.
    let once: BTreeSet<_> = on_disk.iter().collect();
    assert_eq!(once.len(), on_disk.len());
    for stored in [("/plain.tar", "etc/env"), ("/app.jar", "stored.txt"), ("/lib.a", "object.o")] {
        assert!(on_disk.contains(&stored), "{stored:?}: {on_disk:?}");
    }
}

#[test]
fn what_is_cut_is_named_with_its_member_and_kind() {
    let gaps: Vec<_> = scanned().gaps.iter().map(|gap| (gap.path.as_deref().unwrap(), gap.kind)).collect();
    assert_eq!(
        gaps,
        [
            ("/cut.gz!/gzip", GapKind::Damaged),
            ("/bomb.gz.gz!/gzip", GapKind::Limited),
            ("/deeper.gz", GapKind::Limited),
            ("/locked.zip!/locked.txt", GapKind::Limited),
            ("/locked.zip!/stored.txt", GapKind::Limited),
        ]
    );
    let coverage = scanned().summary.coverage;
    assert!(coverage.is_whole());
    assert!(coverage.decoded > 64 << 20 && coverage.decoded < 66 << 20, "{}", coverage.decoded);
}

#[test]
fn findings_inside_files_do_not_depend_on_threads_or_units() {
    let other = scan_with(1, 4099);
    let told = |scanned: &Scanned| {
        let mut places: Vec<_> = scanned.findings.iter().map(|finding| finding.place.clone()).collect();
        // The image's own name is that of a temporary file.
        places.iter_mut().for_each(|place| place.image.clear());
        (places, scanned.gaps.clone(), scanned.summary.coverage.decoded)
    };
    assert_eq!(told(scanned()), told(&other));
}

/// Members with their lengths, and cuts.
type Outcome = (Vec<(String, u64)>, Vec<(String, Kind)>);

fn decode(bytes: impl AsRef<[u8]>, limits: &Limits) -> Outcome {
    let bytes = bytes.as_ref().to_vec();
    let decoder = content::recognise(&bytes).expect("a decoder");
    let mut members = Vec::new();
    let cuts = content::decode(&bytes, decoder, limits, &mut |inner, reader| {
        let length = std::io::copy(reader, &mut std::io::sink());
        members.push((inner.path.to_owned(), length.as_ref().copied().unwrap_or(0)));
        length.map(drop).map_err(|error| residue::error::Error::new(Kind::Corrupt, error.to_string()))
    });
    (members, cuts.into_iter().map(|cut| (cut.member, cut.error.kind())).collect())
}

/// A tar header with a name and what its size field says.
fn tar_header(name: &str, size: &[u8; 12]) -> Vec<u8> {
    tar_block(name.as_bytes(), b'0', size, &[])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn absurd_sizes_end_where_the_archive_ends() {
    for size in [
        *b"77777777777\0",
        *b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        *b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut archive = tar_header("x", &size);
        archive.extend([7; 100]);
        let (members, cuts) = decode(archive, &Limits::default());
        assert_eq!(members, [("x".to_owned(), 100)]);
        assert_eq!(cuts, [(String::new(), Kind::Truncated)]);
    }
}

#[test]
fn members_of_one_name_stay_apart() {
    let mut archive = tar_header("x", b"00000000000\0");
    archive.extend(tar_header("x", b"00000000000\0"));
    let (members, cuts) = decode(archive, &Limits::default());
    assert_eq!(members, [("x".to_owned(), 0), ("x#2".to_owned(), 0)]);
    assert!(cuts.is_empty());
}

#[test]
fn a_budget_that_runs_out_ends_everything_and_is_told_once() {
    let archive: Vec<u8> = (0..100).flat_map(|n| tar_header(&n.to_string(), b"00000000000\0")).collect();
    let few = Limits { members_max: 10, ..Limits::default() };
    let (members, cuts) = decode(&archive, &few);
    assert_eq!((members.len(), cuts), (10, vec![(String::new(), Kind::LimitExceeded)]));
    // The budget counts each level once: an archive of 51,200 bytes in two wrappers takes three times that.
    let wrapped = gzip(&gzip(&archive));
    let sum = 2 * archive.len() as u64 + gzip(&archive).len() as u64;
    let exact = |bytes_max| Limits { bytes_max, ..Limits::default() };
    assert!(decode(&wrapped, &exact(sum)).1.is_empty());
    let (members, cuts) = decode(wrapped, &exact(1000));
    assert!(members.len() < 3);
    assert_eq!(cuts.len(), 1);
    assert_eq!(cuts[0].1, Kind::LimitExceeded);
}

#[test]
fn a_cpio_archive_behind_another_is_read_in_whatever_form_it_is() {
    let entry = |name: &str, mode: u32, content: &str| {
        let (size, name_size) = (content.len(), name.len() + 1);
        let mut bytes =
            format!("0707010000000{}", format_args!("1{mode:08x}{:08x}{:08x}", 0, 0)).into_bytes();
        bytes.extend(format!("{:08x}{:08x}{size:08x}", 1, 0).bytes());
        bytes.extend(format!("{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}", 0, 0, 0, 0, 0).bytes());
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let archive = |name: &str, content: &str| {
        let mut bytes = entry("dir", 0o040_755, "");
        bytes.extend(entry(name, 0o100_644, content));
        bytes.extend(entry("TRAILER!!!", 0, ""));
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    let mut bytes = archive("early", "12345");
    bytes.extend(gzip(&archive("init", "1234567")));
    let (members, cuts) = decode(bytes, &Limits::default());
    assert_eq!(members, [("early".to_owned(), 5), ("init".to_owned(), 7)]);
    assert!(cuts.is_empty(), "{cuts:?}");
}

#[test]
fn damage_anywhere_never_panics_and_is_never_unbounded() {
    let volume = fixture("content/nested.img");
    let mut random = Random(1);
    let mut random = move || random.next();
    // Files start at blocks: each that a decoder knows is decoded whole and with bytes replaced.
    let limits = Limits { bytes_free: 1 << 16, ratio_max: 1, ..Limits::default() };
    let mut decoded = 0;
    for at in (0..volume.len()).step_by(1024) {
        let head = &volume[at..];
        if content::recognise(&head[..content::HEAD.min(head.len())]).is_none() {
            continue;
        }
        decoded += 1;
        for _ in 0..10 {
            let mut bytes = head[..head.len().min(16 << 10)].to_vec();
            for _ in 0..random() % 8 {
                let place = random() as usize % bytes.len();
                bytes[place] = random() as u8;
            }
            let Some(decoder) = content::recognise(&bytes) else { continue };
            content::decode(&bytes, decoder, &limits, &mut |_, reader| {
                let mut sink = Vec::new();
                let _ = reader.take(1 << 20).read_to_end(&mut sink);
                Ok(())
            });
        }
    }
    assert!(decoded > 15, "{decoded}");
}
