//! Archives that claim more than they hold: what is there is searched, and what is not there is a gap.

use crate::support::{Scanned, fixture, found, scan, tar_block, tokens_only};
use residue::content::{self, Limits};
use residue::coverage::{Gap, GapKind};
use residue::error::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

/// Offset of the token in the text of each member.
const BEFORE: usize = "aws_access_key_id = ".len();

/// A text with a token that ends in `end`.
fn text(end: &str) -> Vec<u8> {
    format!("aws_access_key_id = AKIAQ3EGRXWVJT5KL{end}\n").into_bytes()
}

fn octal(size: u64) -> [u8; 12] {
    format!("{size:011o}\0").into_bytes().try_into().unwrap()
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A member of a tar archive that says that its content is `size` bytes long.
fn member(kind: u8, size: &[u8; 12], content: &[u8]) -> Vec<u8> {
    [tar_block(b"m", kind, size, &[]), padded(content.to_vec())].concat()
}

fn file(content: &[u8]) -> Vec<u8> {
    member(b'0', &octal(content.len() as u64), content)
}

/// A pax header of these records, each with its length.
fn pax(records: &[&str]) -> Vec<u8> {
    let record = |record: &&str| {
        let lines = (1_usize..).map(|length| (length, format!("{length} {record}\n")));
        lines.into_iter().find(|(length, line)| line.len() == *length).unwrap().1
    };
    let records = records.iter().map(record).collect::<String>().into_bytes();
    member(b'x', &octal(records.len() as u64), &records)
}

/// A sparse member of the old GNU type that stores `content` and claims pieces of these offsets and lengths.
fn gnu_sparse(content: &[u8], pieces: &[(u64, u64)], has_more: bool) -> Vec<u8> {
    let map: Vec<u8> = pieces.iter().flat_map(|(at, length)| [octal(*at), octal(*length)].concat()).collect();
    let fields = [(386, map.as_slice()), (482, &[u8::from(has_more)]), (483, &octal(1 << 32))];
    let header = tar_block(b"m", b'S', &octal(content.len() as u64), &fields);
    [header, padded(content.to_vec())].concat()
}

const SPARSE_1_0: [&str; 4] =
    ["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=m", "GNU.sparse.realsize=9999999999999"];

/// A sparse member of format 1.0 with this map.
fn map_in_data(map: &str, content: &[u8]) -> Vec<u8> {
    let data = [padded(map.as_bytes().to_vec()), content.to_vec()].concat();
    [pax(&SPARSE_1_0), file(&data)].concat()
}

/// An archive that claims what it does not hold.
struct Case {
    name: &'static str,
    archive: Vec<u8>,
    /// The member under which its token is found, and at which byte of it.
    found: (&'static str, usize),
    /// The member that the gap names, and what it says.
    gap: (&'static str, &'static str),
}

fn case(
    name: &'static str,
    archive: Vec<u8>,
    found: (&'static str, usize),
    gap: (&'static str, &'static str),
) -> Case {
    Case { name, archive, found, gap }
}

/// Ends of tokens, another one for each case.
fn ends() -> impl Iterator<Item = String> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars();
    digits.clone().flat_map(move |one| digits.clone().map(move |other| format!("2{one}{other}")))
}

fn tar_cases() -> Vec<Case> {
    let mut ends = ends().step_by(5).map(|end| text(&end));
    let mut next = || ends.next().unwrap();
    let huge = octal(1 << 30);
    let short = |wanted: &'static str| ("", wanted);
    let mut cases = Vec::new();
    let mut add = |name, archive: Vec<u8>, found, gap| {
        cases.push(case(name, [archive, vec![0; 1024]].concat(), found, gap));
    };
    let t = next();
    let archive = [pax(&["size=1000000000000"]), file(&t)].concat();
    add("pax-size.tar", archive, ("m", BEFORE), short("1000000000000 bytes wanted, the archive ends first"));
    for (name, size) in [("pax-number.tar", "size=99999999999999999999"), ("pax-negative.tar", "size=-5")] {
        let archive = [pax(&[size]), file(&next())].concat();
        add(name, archive, ("m", BEFORE), ("!/m", "pax header: expected a size, found no number"));
    }
    let archive = [member(b'x', &octal(8), b"99999 x="), file(&next())].concat();
    add("pax-record.tar", archive, ("m", BEFORE), ("!/m", "pax header: expected a record within it"));
    let archive = member(b'x', &huge, &next());
    add("pax-header.tar", archive, ("m", BEFORE), short("1073741824 bytes wanted, the archive ends first"));
    let archive = member(b'0', b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", &next());
    add("binary.tar", archive, ("m", BEFORE), short("9223372036854775807 bytes wanted"));
    let archive = member(b'0', b"\x80\x01\0\0\0\0\0\0\0\0\0\0", &next());
    add("binary-large.tar", archive, ("tar", BEFORE), short("tar header: expected a size, found no number"));
    let archive = member(b'0', &[0xff; 12], &next());
    add(
        "binary-negative.tar",
        archive,
        ("tar", BEFORE),
        short("tar header: expected a size, found no number"),
    );
    for (name, kind) in [("label.tar", b'V'), ("global.tar", b'g'), ("link.tar", b'K'), ("other.tar", b'Z')] {
        let archive = member(kind, &huge, &next());
        add(name, archive, ("m", BEFORE), short("1073741824 bytes wanted, the archive ends first"));
    }
    let t = next();
    let archive = [tar_block(b"x", b'0', &octal(0), &[]), vec![b'x'; 512], file(&t)].concat();
    let checksum = "tar header: expected a checksum that fits, found another";
    add("between.tar", archive, ("tar", 1024 + BEFORE), short(checksum));

    // Sparse maps.
    let t = next();
    let archive = gnu_sparse(&t, &[(0, 1 << 30)], false);
    add("gnu-length.tar", archive, ("m", BEFORE), ("!/m", "1073741824 bytes wanted, the member stores 41"));
    let t = next();
    let archive = gnu_sparse(&t, &[(0, 41), (0, 41), (0, 41)], false);
    add("gnu-overlap.tar", archive, ("m", BEFORE), ("!/m", "123 bytes wanted, the member stores 41"));
    let endless = [vec![b'0'; 504], vec![1; 8]].concat().repeat(20);
    let archive = gnu_sparse(&[endless.as_slice(), &next()].concat(), &[(0, 512)], true);
    add("gnu-endless.tar", archive, ("m", endless.len() + BEFORE), ("!/m", "sparse map"));
    let size = "GNU.sparse.size=9999999999999";
    let archive =
        [pax(&[size, "GNU.sparse.numblocks=1000000000", "GNU.sparse.offset=0", "GNU.sparse.numbytes=41"])];
    let archive = [archive.concat(), file(&next())].concat();
    add("0.0-count.tar", archive, ("m", BEFORE), ("!/m", "1000000000 pieces wanted, 1 there"));
    let archive =
        [pax(&[size, "GNU.sparse.numblocks=1", "GNU.sparse.offset=0", "GNU.sparse.numbytes=9999999999"])];
    let archive = [archive.concat(), file(&next())].concat();
    add("0.0-length.tar", archive, ("m", BEFORE), ("!/m", "9999999999 bytes wanted, the member stores 41"));
    let archive =
        [pax(&[size, "GNU.sparse.numblocks=1000000000", "GNU.sparse.map=0,20,30,21"]), file(&next())];
    add("0.1-count.tar", archive.concat(), ("m", BEFORE), ("!/m", "1000000000 pieces wanted, 2 there"));
    let archive = [pax(&[size, "GNU.sparse.numblocks=2", "GNU.sparse.map=0,x,30,21"]), file(&next())];
    add("0.1-number.tar", archive.concat(), ("m", BEFORE), ("!/m", "sparse map: expected a number"));
    let archive = map_in_data("1000000000\n0\n41\n", &next());
    add("1.0-count.tar", archive, ("m", 512 + BEFORE), ("!/m", "sparse map: expected a number, found none"));
    let archive = map_in_data(&format!("1000000000\n{}", "0\n41\n".repeat(512)), &next());
    add("1.0-lines.tar", archive, ("m", 3072 + BEFORE), ("!/m", "sparse map"));
    let archive = map_in_data("1\n0\n99999999999\n", &next());
    add(
        "1.0-length.tar",
        archive,
        ("m", 512 + BEFORE),
        ("!/m", "99999999999 bytes wanted, the member stores 41"),
    );
    let archive = map_in_data(&"1".repeat(5000), &next());
    add(
        "1.0-digits.tar",
        archive,
        ("m", 5120 + BEFORE),
        ("!/m", "sparse map: expected a number, found none"),
    );
    cases
}

/// A zip archive of one member, and the claims of its headers.
struct Zip {
    content: Vec<u8>,
    packed: u32,
    size: u32,
    offset: u32,
    extra: Vec<u8>,
    entries: u16,
    /// Number of members and length of the directory in the Zip64 end record.
    large: Option<(u64, u64)>,
}

impl Zip {
    /// Deflated, with no false claim.
    fn of(content: &[u8]) -> Self {
        let size = u32::try_from(content.len()).unwrap();
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        let content = encoder.finish().unwrap();
        let packed = u32::try_from(content.len()).unwrap();
        Self { content, packed, size, offset: 0, extra: Vec::new(), entries: 1, large: None }
    }

    fn bytes(&self) -> Vec<u8> {
        const DIRECTORY: u64 = 47;
        let mut bytes = b"PK\x03\x04-\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([self.packed.to_le_bytes(), self.size.to_le_bytes()].concat());
        bytes.extend(b"\x01\0\0\0m");
        bytes.extend(&self.content);
        let start = bytes.len() as u64;
        bytes.extend(b"PK\x01\x02-\0-\0\0\0\x08\0\0\0\0\0\0\0\0\0");
        bytes.extend([self.packed.to_le_bytes(), self.size.to_le_bytes()].concat());
        bytes.extend([1, 0, self.extra.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(b"m");
        bytes.extend(&self.extra);
        let length = DIRECTORY + self.extra.len() as u64;
        if let Some((entries, claimed)) = self.large {
            let end = bytes.len() as u64;
            bytes.extend(b"PK\x06\x06,\0\0\0\0\0\0\0-\0-\0\0\0\0\0\0\0\0\0");
            bytes.extend([entries, entries, claimed.max(length), start].map(u64::to_le_bytes).concat());
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend(end.to_le_bytes());
            bytes.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
        } else {
            bytes.extend(b"PK\x05\x06\0\0\0\0");
            bytes.extend([self.entries.to_le_bytes(), self.entries.to_le_bytes()].concat());
            bytes.extend([length as u32, start as u32].map(u32::to_le_bytes).concat());
            bytes.extend([0, 0]);
        }
        bytes
    }
}

/// A Zip64 extra field of these numbers.
fn zip64(numbers: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [&[1, 0, values.len() as u8, 0], values.as_slice()].concat()
}

fn zip_cases() -> Vec<Case> {
    const LARGE: u32 = u32::MAX;
    let mut ends = ends().skip(1).step_by(5);
    let mut next = || Zip::of(&text(&ends.next().unwrap()));
    let place = ("m", BEFORE);
    vec![
        case(
            "size.zip",
            Zip { size: 1_000_000, ..next() }.bytes(),
            place,
            ("!/m", "member: 1000000 bytes wanted, it ends at byte 41"),
        ),
        case(
            "size64.zip",
            Zip { size: LARGE, extra: zip64(&[1 << 62]), ..next() }.bytes(),
            place,
            ("!/m", "member: 4611686018427387904 bytes wanted, it ends at byte 41"),
        ),
        case(
            "sizes64.zip",
            Zip { size: LARGE, packed: LARGE, extra: zip64(&[41, 1 << 62]), ..next() }.bytes(),
            place,
            ("!/m", "read past the end: 4611686018427387904 bytes wanted"),
        ),
        case(
            "overflow64.zip",
            Zip { size: LARGE, packed: LARGE, extra: zip64(&[41, u64::MAX]), ..next() }.bytes(),
            place,
            ("!/m", "read past the end: 18446744073709551615 bytes wanted"),
        ),
        case(
            "no-extra.zip",
            Zip { size: 41, packed: LARGE, ..next() }.bytes(),
            place,
            ("!/m", "read past the end: 4294967295 bytes wanted"),
        ),
        case(
            "cut-extra.zip",
            Zip { size: LARGE, packed: LARGE, extra: vec![1, 0, 16, 0, 41, 0], ..next() }.bytes(),
            place,
            ("!/m", "member: 4294967295 bytes wanted, it ends at byte 41"),
        ),
        case(
            "entries.zip",
            Zip { entries: 5000, ..next() }.bytes(),
            place,
            ("", "zip central directory: expected 5000 members, found 1"),
        ),
        case(
            "entries64.zip",
            Zip { large: Some((1 << 63, 0)), ..next() }.bytes(),
            place,
            ("", "zip central directory: expected 9223372036854775808 members, found 1"),
        ),
        case(
            "directory64.zip",
            Zip { large: Some((1, 1 << 63)), ..next() }.bytes(),
            place,
            ("", "Zip64 end record: expected a central directory before it"),
        ),
        case(
            "offset64.zip",
            Zip { offset: LARGE, extra: zip64(&[1 << 62]), ..next() }.bytes(),
            ("m#2", BEFORE),
            ("!/m", "read past the end: 30 bytes wanted"),
        ),
    ]
}

fn cpio(mode: u32, size: u32, name_size: u32, content: &[u8]) -> Vec<u8> {
    let fields = [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0].map(|field| format!("{field:08x}"));
    let header = format!("070701{}m\0", fields.concat()).into_bytes();
    [header.as_slice(), content].concat()
}

fn ar(name: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("!<arch>\n{name:<16}0           0     0     100644  9999999999`\n");
    [header.as_bytes(), content].concat()
}

fn other_cases() -> Vec<Case> {
    let mut ends = ends().skip(2).step_by(5).map(|end| text(&end));
    let mut next = || ends.next().unwrap();
    let huge = 0xffff_fff0;
    let place = ("m", BEFORE);
    let ends_first = "bytes wanted, the archive ends first";
    vec![
        case("file.cpio", cpio(0o100_644, huge, 2, &next()), place, ("", ends_first)),
        case("directory.cpio", cpio(0o040_755, huge, 2, &next()), place, ("", ends_first)),
        case("link.cpio", cpio(0o120_777, huge, 2, &next()), place, ("", ends_first)),
        case(
            "name.cpio",
            cpio(0o100_644, 41, huge, &next()),
            ("cpio", BEFORE + 2),
            ("", "cpio name: expected at most"),
        ),
        case("file.a", ar("m/", &next()), place, ("", ends_first)),
        case("names.a", ar("//", &next()), ("//", BEFORE), ("", ends_first)),
        case("symbols.a", ar("/", &next()), ("/", BEFORE), ("", ends_first)),
        case("bsd.a", ar("#1/4", &[b"long", next().as_slice()].concat()), ("long", BEFORE), ("", ends_first)),
    ]
}

/// A 7z archive of one deflated member `m`, with these claims of its lengths.
fn seven(content: &[u8], packed: Option<u64>, size: u64) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    let stream = encoder.finish().unwrap();
    let number = |number: u64| [&[0xff], number.to_le_bytes().as_slice()].concat();
    let mut header = vec![1, 4, 6, 0, 1, 9];
    header.extend(number(packed.unwrap_or(stream.len() as u64)));
    // One folder of one coder, Deflate.
    header.extend([0, 7, 11, 1, 0, 1, 3, 4, 1, 8, 12]);
    header.extend(number(size));
    header.extend([0, 0, 5, 1, 17, 5, 0, b'm', 0, 0, 0, 0, 0]);
    let mut bytes = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0".to_vec();
    bytes.extend([stream.len() as u64, header.len() as u64].map(u64::to_le_bytes).concat());
    bytes.extend([0; 4]);
    [bytes, stream, header].concat()
}

fn seven_cases() -> Vec<Case> {
    let mut ends = ends().skip(3).step_by(5).map(|end| text(&end));
    let mut next = || ends.next().unwrap();
    let short = ("!/m", "member: 1099511627776 bytes wanted, it ends at byte 41");
    vec![
        case("size.7z", seven(&next(), None, 1 << 40), ("m", BEFORE), short),
        case("sizes.7z", seven(&next(), Some(1 << 62), 1 << 40), ("m", BEFORE), short),
        case("overflow.7z", seven(&next(), Some(u64::MAX), 1 << 40), ("m", BEFORE), short),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn scan_files(files: &[(String, Vec<u8>)]) -> Scanned {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    scan(folder.path(), &tokens_only(2, 1 << 20))
}

#[test]
fn what_is_there_of_a_member_that_claims_more_is_searched_and_the_rest_is_a_gap() {
    let cases = tar_cases().into_iter().chain(zip_cases()).chain(other_cases()).chain(seven_cases());
    let cases: Vec<_> = cases.collect();
    // As they are, and where their bytes are seen by the decoder alone.
    let plain = cases.iter().map(|case| (case.name.to_owned(), case.archive.clone()));
    let packed = cases.iter().map(|case| (format!("{}.gz", case.name), gzip(&case.archive)));
    let scanned = scan_files(&plain.chain(packed).collect::<Vec<_>>());
    assert!(scanned.summary.coverage.is_whole());
    let mut unexpected = Vec::new();
    for (case, suffix) in cases.iter().flat_map(|case| [(case, ""), (case, ".gz")]) {
        let path = format!("/{}{suffix}", case.name);
        let findings = scanned.findings.iter().map(|finding| &finding.place);
        let places: Vec<_> = findings
            .filter(|place| place.path.as_deref() == Some(&path))
            .map(|place| (place.member.as_deref().unwrap_or_default(), place.file_offset.unwrap_or(0)))
            .collect();
        let own = |gap: &&Gap| gap.path.as_ref().is_some_and(|at| at.split('!').next() == Some(&path));
        let gaps: Vec<_> = scanned.gaps.iter().filter(own).collect();
        let (member, reason) = case.gap;
        let place = format!("{path}{member}");
        let is_told = gaps.iter().any(|gap| {
            gap.kind == GapKind::Damaged && gap.path.as_ref() == Some(&place) && gap.reason.contains(reason)
        });
        if places != [(case.found.0, case.found.1 as u64)] || !is_told {
            unexpected.push(format!("{path}: found {places:?}, {gaps:?}"));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

#[test]
fn archives_of_programs_leave_no_gap_however_they_tell_sizes() {
    let scanned = scan_files(&[("honest.tar".to_owned(), fixture("content/sizes/honest.tar"))]);
    assert_eq!(scanned.gaps, []);
    let long = "l".repeat(150);
    let expected = [
        ("gnu.tar!/many", "2AB"),
        ("gnu.tar!/more", "2AC"),
        ("gnu-large.tar!/large", "2AA"),
        ("0.0.tar!/many", "2AE"),
        ("0.0.tar!/more", "2AF"),
        ("0.0-large.tar!/large", "2AD"),
        ("0.1.tar!/many", "2AH"),
        ("0.1.tar!/more", "2AI"),
        ("0.1-large.tar!/large", "2AG"),
        ("1.0.tar!/many", "2AK"),
        ("1.0.tar!/more", "2AL"),
        ("1.0-large.tar!/large", "2AJ"),
        ("values-pax.tar!/big", "2AM"),
        (&format!("values-pax.tar!/{long}"), "2AN"),
        ("values-gnu.tar!/big", "2AM"),
        (&format!("values-gnu.tar!/{long}"), "2AN"),
        ("v7.tar!/old", "2AU"),
        ("label.tar!/big", "2AM"),
        ("incremental.tar!/dir/big", "2AM"),
        ("second-volume.tar!/long", "2AM"),
        ("attributes.tar!/e.txt", "2AS"),
        ("forced.zip!/a.txt", "2AO"),
        ("forced.zip!/b.txt", "2AP"),
        ("streamed.zip!/c.txt", "2AQ"),
        ("streamed.zip!/d.txt", "2AR"),
        ("piped.zip!/-", "2AO"),
        ("large.zip!/f.txt", "2AT"),
        ("solid.7z!/a.txt", "2AO"),
        ("solid.7z!/b.txt", "2AP"),
        ("copy.7z!/c.txt", "2AQ"),
        ("copy.7z!/d.txt", "2AR"),
        ("links.cpio!/dir/big", "2AM"),
        (&format!("links.cpio!/{long}"), "2AN"),
        ("links.cpio!/a.txt", "2AO"),
    ];
    let expected: BTreeSet<_> = expected
        .map(|(member, end)| ("/honest.tar".to_owned(), format!("./{member}"), end.to_owned()))
        .into();
    assert_eq!(found(&scanned), expected);
}

#[test]
fn the_bytes_of_a_sparse_member_start_behind_its_map() {
    let (bytes, mut members) = (fixture("content/sizes/honest.tar"), BTreeMap::new());
    let decoder = content::recognise(&bytes).unwrap();
    content::decode(&bytes, decoder, &Limits::default(), &mut |inner, reader| {
        let mut start = Vec::new();
        reader.take(2).read_to_end(&mut start).unwrap();
        members.insert(inner.path.to_owned(), start);
        Ok(())
    });
    for kind in ["gnu", "0.0", "0.1", "1.0"] {
        assert_eq!(members[&format!("./{kind}.tar!/many")], b"0\n", "{kind}");
        assert_eq!(members[&format!("./{kind}-large.tar!/large")], b"0\n", "{kind}");
    }
}

#[test]
fn a_billion_headers_in_nested_streams_end_with_the_budget() {
    let headers = tar_block(b"m", b'0', &octal(0), &[]).repeat(1 << 11);
    // Streams of gzip are joined: 2^11 headers, 2^10 and 2^9 times.
    let archive = gzip(&gzip(&headers).repeat(1 << 10)).repeat(1 << 9);
    assert!(archive.len() < 8 << 20, "{}", archive.len());
    let decoder = content::recognise(&archive).unwrap();
    let limits = Limits { members_max: 10_000, ..Limits::default() };
    let mut members = 0;
    let cuts = content::decode(&archive, decoder, &limits, &mut |_, _| {
        members += 1;
        Ok(())
    });
    // The two streams around the archive are members as well.
    assert_eq!(members, 9_998);
    let [cut] = cuts.as_slice() else { panic!("{cuts:?}") };
    assert_eq!(cut.error.kind(), Kind::LimitExceeded);
    assert!(cut.error.message().contains("budget of members used up"), "{}", cut.error);
}
