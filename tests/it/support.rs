//! What several themes share: fixtures unpacked, scans collected.

use residue::coverage::Gap;
use residue::filesystem::{Entry, FileSystem, Recognised, Walked, recognise};
use residue::finding::Finding;
use residue::io::ReadAt;
use residue::record::{Header, Record, Summary};
use residue::report::{self, OwnedRecord};
use residue::scan::{self, Engine, Options, Silent};
use std::collections::BTreeSet;
use std::io::{BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

/// A file in `testdata`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// A file of `testdata/`, decompressed: `fixture("volumes/gpt.raw")` is `testdata/volumes/gpt.raw.zst`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    decompressed(&testdata(&format!("{name}.zst")))
}

fn decompressed(path: &Path) -> Vec<u8> {
    let packed = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Writes an image to a temporary file, which goes away with the returned value.
pub(crate) fn image(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// The same with holes in place of blocks of zeros, so that a large and empty disk costs little.
pub(crate) fn sparse_image(bytes: &[u8]) -> tempfile::NamedTempFile {
    use std::os::unix::fs::FileExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(bytes.len() as u64).unwrap();
    for (block, at) in bytes.chunks(4096).zip((0..).step_by(4096)) {
        if block.iter().any(|&byte| byte != 0) {
            file.as_file().write_all_at(block, at).unwrap();
        }
    }
    file
}

/// A header block of a tar archive: its name, its type, what it says of its size, and other fields by their offset.
pub(crate) fn tar_block(name: &[u8], kind: u8, size: &[u8; 12], fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let own: [(usize, &[u8]); 4] = [(0, name), (124, size), (156, &[kind]), (257, b"ustar\x0000")];
    for (at, bytes) in own.iter().chain(fields) {
        block[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Everything that a scan reported.
#[derive(Default)]
pub(crate) struct Scanned {
    pub(crate) header: Option<Header>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) summary: Summary,
}

/// The built-in rules and checks, compiled once.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&Options::default()).unwrap())
}

/// Scans the image at `path`.
pub(crate) fn scan(path: &Path, options: &Options) -> Scanned {
    let mut scanned = Scanned::default();
    let summary = scan::run(engine(), path, options, &Silent, &mut |record| {
        match record {
            Record::Scan(header) => scanned.header = Some(header.clone()),
            Record::Finding(finding) => scanned.findings.push(finding.clone()),
            Record::Gap(gap) => scanned.gaps.push(gap.clone()),
            _ => {}
        }
        Ok(())
    });
    scanned.summary = summary.unwrap();
    scanned
}

/// Searches for tokens as [`token`] makes them and nothing else, and shows them.
pub(crate) fn tokens_only(threads: usize, unit: u64) -> Options {
    let only = vec!["aws-access-key-id".into()];
    Options { show_secrets: true, all_verdicts: true, only, threads, unit, ..Options::default() }
}

/// Path, member and end of the token of each finding.
pub(crate) fn found(scanned: &Scanned) -> BTreeSet<(String, String, String)> {
    let place = scanned.findings.iter().map(|finding| {
        let secret = finding.secret_shown.as_deref().unwrap();
        let place = &finding.place;
        (
            place.path.clone().unwrap_or_default(),
            place.member.clone().unwrap_or_default(),
            secret[17..].into(),
        )
    });
    place.collect()
}

/// The records of a scan in a file of lines of JSON.
pub(crate) fn records(file: &Path) -> Vec<OwnedRecord> {
    let file = BufReader::new(std::fs::File::open(file).unwrap());
    let mut records = Vec::new();
    report::read(file, &mut |record| {
        records.push(record);
        Ok(())
    })
    .unwrap();
    records
}

/// Runs the program in `directory`.
pub(crate) fn program(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_residue"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What `residue cat` shows of a finding's place as reports print it, of as many bytes as it is long.
pub(crate) fn shown_again(directory: &Path, image: &str, finding: &Finding) -> Vec<u8> {
    let mut place = report::words::place(&finding.place);
    // Where there are several ranges, each has its length.
    let (_, range) = place.rsplit_once(" @ ").unwrap();
    if !range.contains('+') {
        place = format!("{place}+{}", finding.length.unwrap());
    }
    let output = program(directory, &["cat", image, &place]);
    assert!(output.status.success(), "{place}: {output:?}");
    output.stdout
}

/// The file system of a volume in memory.
pub(crate) fn opened(bytes: Vec<u8>) -> Arc<dyn FileSystem> {
    opened_volume(&(Arc::new(bytes) as Arc<dyn ReadAt>))
}

/// The file system of a volume.
pub(crate) fn opened_volume(volume: &Arc<dyn ReadAt>) -> Arc<dyn FileSystem> {
    match recognise(volume) {
        Recognised::Opened(filesystem) => filesystem,
        other => panic!("not opened: {other:?}"),
    }
}

/// All entries, and what could not be read.
pub(crate) fn walk(filesystem: &dyn FileSystem) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    filesystem
        .walk(&mut |walked| {
            match walked {
                Walked::Entry(entry) => entries.push(entry),
                Walked::Problem { entry, error } => problems.push(format!("{entry:?}: {error}")),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (entries, problems)
}

/// Numbers that look random and are the same in every run, from a seed other than 0 (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

/// An image that another project made for its own tests, from the folder that `RESIDUE_IMAGES` names. `None`,
/// and a word on the terminal, where there is no such folder.
pub(crate) fn real_image(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("RESIDUE_IMAGES") else {
        println!("skipped: {name} is only there where RESIDUE_IMAGES names a folder");
        return None;
    };
    Some(decompressed(&Path::new(&folder).join(format!("{name}.zst"))))
}

/// An access key id of the right shape, another one for each number.
pub(crate) fn token(number: u64) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    // The finaliser of SplitMix64: every bit of the number changes about half of the bits of the result. A body
    // with few different letters may be refused as too regular; the next number's is taken then.
    let mixed = |number: u64| {
        let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    (0..)
        .map(|attempt: u64| {
            let (low, high) = (mixed(number ^ attempt << 40), mixed(!number ^ attempt << 40));
            let digits = (0..16).map(|digit| ((low >> (digit * 4) & 15) | (high >> digit & 1) << 4) as usize);
            digits.map(|digit| alphabet[digit] as char).collect::<String>()
        })
        .find(|body| body.chars().collect::<BTreeSet<_>>().len() > 11)
        .map(|body| format!("AKIA{body}"))
        .expect("many bodies have twelve different letters")
}
