//! What lies in databases, logs, hives, packages, documents and coded text is found under its member, and only
//! there; what is hostile among them ends.

use crate::support::{Random, Scanned, fixture, found, image, scan, tokens_only};
use residue::content::{self, Limits};
use residue::coverage::GapKind;
use residue::error::Kind;
use residue::scan::Options;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

/// A volume of files that `testdata/content/decoders/make.sh` makes.
fn scan_of(name: &str, threads: usize, unit: u64) -> Scanned {
    let file = image(&fixture(&format!("content/decoders/{name}.img")));
    scan(file.path(), &tokens_only(threads, unit))
}

fn planted() -> &'static Scanned {
    static SCANNED: OnceLock<Scanned> = OnceLock::new();
    SCANNED.get_or_init(|| scan_of("planted", 2, 1 << 20))
}

#[test]
fn secrets_that_the_bytes_do_not_show_are_found_under_their_member() {
    let expected = [
        ("/overflow.db", "notes/row 1000", "2BA"),
        ("/database.tar.gz", "overflow.db!/notes/row 1000", "2BA"),
        // Its pages are on the free list, and still name one another.
        ("/deleted.db", "free list/page 14", "2BB"),
        ("/freed.db", "notes/page 13 freed at 978", "2BC"),
        ("/live.db-wal", "page 19 at 8440/row 1000", "2BD"),
        ("/blob.db", "notes/row 7000/column 1!/gzip", "2BE"),
        // A text in UTF-16 is seen as it lies there, and lies in one piece.
        ("/wide.db", "", "2BF"),
        ("/security.evtx", "record 7", "2BG"),
        ("/system.hive", "Vendor/Agent", "2BH"),
        ("/system.hive", "free cell at 0x3244", "2BI"),
        ("/ZSTD.journal", "entry 1", "2BJ"),
        ("/LZ4.journal", "entry 1", "2BK"),
        ("/XZ.journal", "entry 1", "2BL"),
        ("/objects.pack", "418c2c2d316be1a99c074583fd55228bf9035fd8", "2BM"),
        ("/loose", "zlib", "2BN"),
        ("/w9.gzdio.rpm", "./opt/conf", "2BO"),
        ("/w7.xzdio.rpm", "./opt/conf", "2BP"),
        ("/w19.zstdio.rpm", "./opt/conf", "2BQ"),
        ("/lzma2.7z", "in/dir/one", "2BR"),
        ("/lzma2.7z", "in/dir/two", "2BS"),
        ("/lzma.7z", "in/lzma", "2BT"),
        ("/bzip2.7z", "in/bzip2", "2BU"),
        ("/deflate.7z", "in/deflate", "2BV"),
        ("/alone.lzma", "lzma", "2BX"),
        ("/packed.pdf", "object 5", "2BY"),
        ("/secret.yaml", "base64", "2BZ"),
        ("/one-line.env", "base64", "2CA"),
        ("/short.txt", "base64", "2CB"),
        ("/dump.hex", "hex", "2CC"),
        ("/encoded.ps1", "base64", "2CD"),
        ("/gzipped.b64", "base64@11!/gzip", "2CE"),
        ("/url.txt", "base64", "2CF"),
        ("/mail.gz", "gzip!/base64", "2CG"),
        ("/long.eml", "base64", "2CH"),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(path, member, secret)| (path.into(), member.into(), secret.into())).into();
    assert_eq!(found(planted()), expected);
}

#[test]
fn one_secret_in_one_place_is_told_once() {
    let mut places: Vec<_> = planted()
        .findings
        .iter()
        .map(|finding| (finding.place.path.as_deref(), finding.secret_shown.as_deref()))
        .collect();
    let count = places.len();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), count);
}

#[test]
fn what_lies_on_the_disk_has_its_place_there() {
    let bytes = fixture("content/decoders/planted.img");
    for finding in &planted().findings {
        let secret = finding.secret_shown.as_deref().unwrap();
        let place = &finding.place;
        let path = place.path.as_deref().unwrap();
        let narrow = ["/overflow.db", "/deleted.db", "/freed.db", "/live.db-wal"].contains(&path);
        let wide = ["/system.hive", "/security.evtx", "/wide.db"].contains(&path);
        let Some(offset) = place.disk_offset else {
            assert!(!narrow && !wide, "{place:?}");
            continue;
        };
        let here = &bytes[offset as usize..];
        if narrow {
            // Over a page's end only the first characters stand there.
            assert_eq!(here.get(..4), Some(&b"AKIA"[..]), "{place:?}");
        } else if wide {
            assert_eq!(here.get(..8), Some(&b"A\0K\0I\0A\0"[..]), "{place:?}");
        } else {
            // Where the text starts that encodes it.
            let member = place.member.as_deref().unwrap();
            assert!(member.contains("base64") || member == "hex", "{place:?}");
            let text = std::str::from_utf8(&here[..16]).unwrap();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{place:?}: {text}");
        }
        assert!(!secret.is_empty());
    }
}

#[test]
fn the_same_files_without_secrets_are_silent() {
    let control = scan_of("control", 2, 1 << 20);
    assert!(control.findings.is_empty(), "{:?}", found(&control));
    assert!(control.summary.coverage.is_whole());
    assert_eq!(gaps(&control), gaps(planted()));
}

/// Path and kind of each gap.
fn gaps(scanned: &Scanned) -> Vec<(String, GapKind)> {
    scanned.gaps.iter().map(|gap| (gap.path.clone().unwrap_or_default(), gap.kind)).collect()
}

#[test]
fn what_is_locked_is_named() {
    let expected = [
        ("/locked.7z!/in/locked", GapKind::Limited),
        ("/locked.pdf", GapKind::Limited),
        ("/sealed.7z", GapKind::Limited),
    ];
    let expected = expected.map(|(path, kind)| (path.to_owned(), kind));
    assert_eq!(gaps(planted()), expected);
    assert!(planted().summary.coverage.is_whole());
}

#[test]
fn findings_do_not_depend_on_threads_or_units() {
    let other = scan_of("planted", 1, 4099);
    let told = |scanned: &Scanned| {
        let mut places: Vec<_> = scanned.findings.iter().map(|finding| finding.place.clone()).collect();
        places.iter_mut().for_each(|place| place.image.clear());
        (places, scanned.gaps.clone(), scanned.summary.coverage.decoded)
    };
    assert_eq!(told(planted()), told(&other));
}

/// Decodes content as far as small limits let it; returns the number of bytes that came out, and the cuts.
fn decode(bytes: &[u8]) -> (u64, Vec<Kind>) {
    let Some(decoder) = content::recognise(&bytes[..bytes.len().min(content::HEAD)]) else {
        return (0, Vec::new());
    };
    let limits = Limits {
        bytes_free: 4 << 20,
        ratio_max: 4,
        members_max: 20_000,
        held_max: 1 << 20,
        time_max: Duration::from_secs(20),
        ..Limits::default()
    };
    let mut out = 0;
    let cuts = content::decode(&bytes.to_vec(), decoder, &limits, &mut |_, reader| {
        let mut sink = Vec::new();
        let _ = reader.take(1 << 20).read_to_end(&mut sink);
        out += sink.len() as u64;
        Ok(())
    });
    (out, cuts.into_iter().map(|cut| cut.error.kind()).collect())
}

/// The files of the planted volumes, by the blocks at which a decoder knows them.
fn files() -> Vec<Vec<u8>> {
    ["decoders", "packed"].into_iter().flat_map(files_of).collect()
}

fn files_of(name: &str) -> Vec<Vec<u8>> {
    let volume = fixture(&format!("content/{name}/planted.img"));
    let starts = (0..volume.len()).step_by(1024).filter(|&at| {
        let head = &volume[at..volume.len().min(at + content::HEAD)];
        content::recognise(head).is_some()
    });
    starts.map(|at| volume[at..volume.len().min(at + (80 << 10))].to_vec()).collect()
}

#[test]
fn damage_anywhere_ends_soon_and_without_a_panic() {
    let mut random = Random(7);
    let mut random = move || random.next();
    let files = files();
    assert!(files.len() > 40, "{}", files.len());
    for file in &files {
        for round in 0..12 {
            let mut bytes = file.clone();
            for _ in 0..=random() % 12 {
                // The first kilobytes hold most of the structure.
                let span = if round % 2 == 0 { bytes.len() } else { bytes.len().min(4096) };
                let place = random() as usize % span;
                let value = [0, 1, 0x7f, 0xff, random() as u8][random() as usize % 5];
                let length = 1 + random() as usize % 4;
                let end = bytes.len().min(place + length);
                bytes[place..end].fill(value);
            }
            bytes.truncate(bytes.len() - random() as usize % (bytes.len() / 2));
            let started = std::time::Instant::now();
            let (out, _) = decode(&bytes);
            assert!(out <= (4 << 20) + 4 * bytes.len() as u64);
            assert!(started.elapsed() < Duration::from_secs(30));
        }
    }
}

/// The first file of the planted volume that starts with these bytes.
fn file_with(magic: &[u8]) -> Vec<u8> {
    files().into_iter().find(|file| file.starts_with(magic)).unwrap()
}

#[test]
fn pages_that_name_one_another_in_a_circle_are_read_once() {
    // Every 4-byte field of every page that may be a page number is made to name an early page.
    let mut database = file_with(b"SQLite format 3\0");
    for page in 1..database.len() / 1024 {
        database[page * 1024..page * 1024 + 4].copy_from_slice(&3_u32.to_be_bytes());
    }
    // The free list starts at a trunk that names itself.
    database[32..36].copy_from_slice(&3_u32.to_be_bytes());
    database[2 * 1024 + 4..2 * 1024 + 8].copy_from_slice(&200_u32.to_be_bytes());
    let (out, cuts) = decode(&database);
    assert!(out <= database.len() as u64, "{out}");
    assert!(cuts.contains(&Kind::Corrupt), "{cuts:?}");
}

/// Scans a folder that holds one file.
fn scan_file(name: &str, content: &[u8]) -> Scanned {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    scan(folder.path(), &tokens_only(1, 1 << 20))
}

#[test]
fn values_of_a_hive_in_segments_are_read_over_their_seams() {
    let scanned = scan_file("long.hive", &fixture("content/segments.hive"));
    let expected = [("/long.hive", "Long", "CAY"), ("/long.hive", "Long/bytes", "PYK")];
    let expected = expected.map(|(path, member, end)| (path.into(), member.into(), end.into()));
    assert_eq!(found(&scanned), BTreeSet::from(expected));
}

/// Members of content by path, and what was cut.
fn members(content: &[u8]) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let decoder = content::recognise(&content[..content.len().min(content::HEAD)]).unwrap();
    let mut members = BTreeMap::new();
    let cuts = content::decode(&content.to_vec(), decoder, &Limits::default(), &mut |inner, reader| {
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes);
        members.insert(inner.path.to_owned(), bytes);
        read.map(drop).map_err(|error| residue::error::Error::new(Kind::Corrupt, error.to_string()))
    });
    (members, cuts.iter().map(|cut| cut.error.to_string()).collect())
}

const SQUASHFS: [&str; 5] = ["gzip", "xz", "lz4", "zstd", "stored"];

#[test]
fn files_of_squashfs_are_those_that_were_packed() {
    let (packed, _) = members(&fixture("content/squashfs/root.tar"));
    // Of two names of one file the image's order says which one counts.
    let expected: BTreeMap<_, _> = packed
        .into_iter()
        .filter_map(|(path, bytes)| Some((path.strip_prefix("root/")?.to_owned(), bytes)))
        .filter(|(path, _)| path != "etc/small.too")
        .collect();
    assert!(expected.len() > 300 && expected["var/holes.bin"].len() > 12_288);
    for form in SQUASHFS {
        let (found, cuts) = members(&fixture(&format!("content/squashfs/{form}.squashfs")));
        assert_eq!(cuts, Vec::<String>::new(), "{form}");
        assert!(found == expected, "{form}: {:?}", found.keys().take(9).collect::<Vec<_>>());
        let scanned = scan_file("app.snap", &fixture(&format!("content/squashfs/{form}.squashfs")));
        let mut ends: Vec<_> =
            scanned.findings.iter().map(|f| f.secret_shown.as_deref().unwrap()[18..].to_owned()).collect();
        ends.sort();
        ends.dedup();
        assert_eq!(ends, ["AA", "AB", "AC", "AD", "AE", "AF"], "{form}");
    }
    let (found, cuts) = members(&fixture("content/squashfs/lzo.squashfs"));
    assert_eq!((found.len(), cuts), (0, vec!["unsupported: squashfs: packed with LZO".to_owned()]));
}

#[test]
fn squashfs_in_a_file_is_no_disk_and_has_one_gap_where_it_is_not_decoded() {
    for (form, expected) in [("gzip", None), ("lzo", Some("unsupported: squashfs: packed with LZO"))] {
        let mut image = fixture(&format!("content/squashfs/{form}.squashfs"));
        // Disks are looked for in files of some length only.
        image.resize(128 << 10, 0);
        let scanned = scan_file("app.snap", &image);
        let gaps: Vec<_> = scanned.gaps.iter().map(|gap| gap.reason.as_str()).collect();
        assert_eq!(gaps, Vec::from_iter(expected), "{form}");
    }
}

#[test]
fn damage_to_squashfs_costs_what_it_hits_and_is_said() {
    for form in SQUASHFS {
        let image = fixture(&format!("content/squashfs/{form}.squashfs"));
        let (whole, _) = members(&image);
        for round in 1..=18_u64 {
            let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let mut damaged = image.clone();
            if round % 6 == 0 {
                damaged.truncate(96 + random.below(image.len() - 96));
            }
            for _ in 0..round % 6 {
                let at = 30 + random.below(damaged.len() - 30);
                damaged[at] = u8::try_from(random.below(256)).unwrap();
            }
            let started = std::time::Instant::now();
            let (found, cuts) = members(&damaged);
            assert!(started.elapsed() < Duration::from_secs(10), "{form} round {round}");
            let lost = whole.iter().any(|(path, bytes)| found.get(path) != Some(bytes));
            // Bytes that are stored as they are have no checksum, and names none at all.
            let is_silent = form == "stored" || form == "lz4" || found.len() >= whole.len();
            assert!(!lost || !cuts.is_empty() || is_silent, "{form} round {round}: {} files", found.len());
        }
    }
}

fn base64(content: &[u8]) -> String {
    data_encoding::BASE64.encode(content)
}

#[test]
fn the_secrets_of_a_release_that_is_packed_and_written_as_base64_twice_are_found() {
    let secret =
        base64(b"# settings of the application\nkey = AKIAFOAE25GOJIZGVCAY\n# end of the settings\n");
    let manifest =
        format!("{{\"manifest\":\"apiVersion: v1\\nkind: Secret\\ndata:\\n  settings: {secret}\\n\"}}");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, manifest.as_bytes()).unwrap();
    let release = base64(base64(&packed.finish().unwrap()).as_bytes());
    let scanned = scan_file("release.yaml", format!("data:\n  release: {release}\n").as_bytes());
    let found = found(&scanned);
    let [(path, member, end)] = &found.iter().collect::<Vec<_>>()[..] else { panic!("{found:?}") };
    assert_eq!((path.as_str(), end.as_str()), ("/release.yaml", "CAY"));
    assert!(member.starts_with("base64!/base64@") && member.ends_with("!/base64"), "{member}");
    assert!(member.contains("!/gzip!/"), "{member}");
}

#[test]
fn text_in_text_ends_at_a_depth_and_says_so() {
    let at_depth = |depth: usize| {
        let text = String::from("some text in front of the key AKIAFOAE25GOJIZGVCAY and some behind it");
        let text = (0..depth).fold(text, |text, _| base64(text.as_bytes()));
        let scanned = scan_file("deep.txt", format!("value: {text}\n").as_bytes());
        let cut = scanned
            .gaps
            .iter()
            .any(|gap| gap.kind == GapKind::Limited && gap.reason.contains("text in text"));
        (scanned.findings.len(), cut)
    };
    for depth in 0..=4 {
        assert_eq!(at_depth(depth), (1, false), "{depth}");
    }
    for depth in [5, 6, 20] {
        assert_eq!(at_depth(depth), (0, true), "{depth}");
    }
}

#[test]
fn keys_of_a_hive_that_contain_themselves_are_read_once() {
    let mut hive = file_with(b"regf");
    // Each list of subkeys has the root as its first key.
    let root = hive[0x24..0x28].to_vec();
    let lists: Vec<usize> = (4096..hive.len() - 8)
        .step_by(4)
        .filter(|&at| hive[at + 4..at + 6] == *b"lf" || hive[at + 4..at + 6] == *b"lh")
        .collect();
    assert!(!lists.is_empty());
    for at in lists {
        hive[at + 8..at + 12].copy_from_slice(&root);
    }
    let (out, cuts) = decode(&hive);
    assert!(out < hive.len() as u64, "{out}");
    assert!(cuts.contains(&Kind::Corrupt), "{cuts:?}");
}

#[test]
fn a_template_of_a_log_that_is_its_own_value_ends() {
    let mut log = file_with(b"ElfFile\0");
    // Every value becomes binary XML, and every template is the first one.
    let chunk = 4096;
    for at in chunk + 512..log.len() - 8 {
        if log[at..at + 2] == [0x0c, 0x01] {
            log[at + 6..at + 10].copy_from_slice(&550_u32.to_le_bytes());
        }
        if log[at] == 0x0d || log[at] == 0x0e {
            log[at + 3] = 0x21;
        }
    }
    let started = std::time::Instant::now();
    decode(&log);
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A pack with these objects: kind, base or nothing, and what was deflated.
fn pack(objects: &[(u8, Option<u8>, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut bytes = b"PACK\0\0\0\x02".to_vec();
    bytes.extend((objects.len() as u32).to_be_bytes());
    for (kind, back, data) in objects {
        let mut size = data.len() >> 4;
        bytes.push((kind << 4) | (data.len() & 15) as u8 | if size > 0 { 0x80 } else { 0 });
        while size > 0 {
            bytes.push((size & 127) as u8 | if size > 127 { 0x80 } else { 0 });
            size >>= 7;
        }
        bytes.extend(back);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        bytes.extend(encoder.finish().unwrap());
    }
    bytes
}

#[test]
fn deltas_that_make_much_out_of_little_stop_at_the_budget() {
    // A base of 64 KiB, and deltas of which each copies it 200 times.
    let number = |mut value: usize| {
        let mut bytes = Vec::new();
        while value > 127 {
            bytes.push((value & 127) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let base = pack(&[(3, None, vec![b'x'; 65_536])]);
    let mut delta = [number(65_536), number(65_536 * 200)].concat();
    delta.extend([0x80; 200]);
    let mut bytes = base.clone();
    let one = pack(&[(3, None, delta.clone())]);
    let stream = &one[12..];
    let header = stream.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    for _ in 0..100 {
        let back = bytes.len() - 12;
        let mut head = stream[..header].to_vec();
        head[0] = (head[0] & 0x8f) | (6 << 4);
        bytes.extend(head);
        assert!((128..16_512).contains(&back) || back < 128);
        if back >= 128 {
            bytes.push(0x80 | ((back - 128) >> 7) as u8);
        }
        bytes.push((if back < 128 { back } else { back - 128 } & 127) as u8);
        bytes.extend(&stream[header..]);
    }
    bytes[8..12].copy_from_slice(&101_u32.to_be_bytes());
    let started = std::time::Instant::now();
    let (out, cuts) = decode(&bytes);
    assert!(out <= (4 << 20) + 4 * bytes.len() as u64, "{out}");
    assert_eq!(cuts, [Kind::LimitExceeded]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn objects_upon_objects_that_come_later_or_never_are_named() {
    let delta = vec![1, 1, 1, b'y'];
    let (out, cuts) = decode(&pack(&[(6, Some(5), delta), (3, None, b"z".to_vec())]));
    // What the delta puts in is handed on all the same.
    assert_eq!((out, cuts), (2, vec![Kind::Unsupported]));
}

#[test]
fn a_key_whose_coded_text_a_rule_knows_is_told_once() {
    let key = fixture("leftovers/rsa-pkcs1");
    let mut bytes = format!("data:\n  tls.key: {}\n", data_encoding::BASE64.encode(&key)).into_bytes();
    bytes.resize(1 << 16, 0);
    let file = image(&bytes);
    let scanned = scan(file.path(), &Options { all_verdicts: true, ..Options::default() });
    let rules: Vec<_> = scanned.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["base64-private-key"]);
}

/// A PDF with one object for each stream: what its dictionary says, and its bytes.
fn pdf(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.5\n".to_vec();
    for (number, (dictionary, bytes)) in (1..).zip(streams) {
        pdf.extend(format!("{number} 0 obj\n<< {dictionary} /Length {} >>\nstream\n", bytes.len()).bytes());
        pdf.extend(bytes);
        pdf.extend(b"\nendstream\nendobj\n");
    }
    pdf
}

#[test]
fn streams_of_pdf_are_read_through_lzw_and_predictors() {
    let token = |end: &str| format!("AKIAQ3EGUXJ5WZP7L{end}");
    let text = |end: &str| format!("{:>9} key {} end {:>9}", "", token(end), "").into_bytes();
    let deflated = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let lzw = |bytes: &[u8], early: bool| {
        let order = weezl::BitOrder::Msb;
        let mut encoder = match early {
            true => weezl::encode::Encoder::with_tiff_size_switch(order, 8),
            false => weezl::encode::Encoder::new(order, 8),
        };
        // Long enough for codes of more bits.
        let filler: String = (0..2000).map(|number| format!("{number} ")).collect();
        encoder.encode(&[filler.as_bytes(), bytes].concat()).unwrap()
    };
    // Rows of eight bytes, each less the row above it.
    let up = |bytes: &[u8]| {
        let mut above = [0; 8];
        let mut rows = Vec::new();
        for row in bytes.chunks(8) {
            rows.push(2);
            rows.extend(row.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)));
            above[..row.len()].copy_from_slice(row);
        }
        rows
    };
    let left = |bytes: &[u8]| {
        let row = |row: &[u8]| {
            let before = std::iter::once(0).chain(row.iter().copied());
            row.iter().zip(before).map(|(byte, before)| byte.wrapping_sub(before)).collect::<Vec<_>>()
        };
        bytes.chunks(8).flat_map(row).collect::<Vec<_>>()
    };
    let bytes = pdf(&[
        ("/Filter /LZWDecode", lzw(&text("2AA"), true)),
        ("/Filter [/LZWDecode] /DecodeParms [<< /EarlyChange 0 >>]", lzw(&text("2AB"), false)),
        ("/DecodeParms << /Columns 8 /Predictor 12 >> /Filter /FlateDecode", deflated(&up(&text("2AC")))),
        ("/Filter /FlateDecode /DecodeParms << /Predictor 2 /Columns 8 >>", deflated(&left(&text("2AD")))),
        (
            "/Filter [/ASCIIHexDecode /FlateDecode] /DecodeParms [null << /Predictor 15 /Columns 8 >>]",
            deflated(&up(&text("2AE")))
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .chain([">".to_owned()])
                .collect::<String>()
                .into_bytes(),
        ),
        ("/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 99999999 >>", deflated(b"no")),
    ]);
    let scanned = scan_file("packed.pdf", &bytes);
    let expected = ["2AA", "2AB", "2AC", "2AD", "2AE"].iter().zip(1..);
    let expected =
        expected.map(|(end, object)| ("/packed.pdf".into(), format!("object {object}"), (*end).into()));
    assert_eq!(found(&scanned), expected.collect());
    let gaps: Vec<_> = scanned.gaps.iter().map(|gap| (gap.kind, gap.path.as_deref().unwrap())).collect();
    assert_eq!(gaps, [(GapKind::Limited, "/packed.pdf!/object 6")]);
    assert!(
        scanned.gaps[0].reason.contains("predictor 12 over rows of 99999999 pixels"),
        "{:?}",
        scanned.gaps
    );
}

#[test]
fn an_encrypted_pdf_is_not_said_to_need_a_password() {
    let mut bytes = pdf(&[("/Filter /FlateDecode", vec![0; 20])]);
    bytes.extend(b"trailer << /Encrypt 9 0 R >>\n");
    let scanned = scan_file("locked.pdf", &bytes);
    let [gap] = scanned.gaps.as_slice() else { panic!("{:?}", scanned.gaps) };
    assert!(gap.kind == GapKind::Limited && gap.reason.contains("are encrypted"), "{}", gap.reason);
}
