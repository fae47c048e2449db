//! What several themes share: fixtures unpacked, scans collected.

use residue::coverage::Gap;
use residue::finding::Finding;
use residue::record::{Header, Record, Summary};
use residue::scan::{self, Engine, Options, Silent};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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
        .find(|body| body.chars().collect::<std::collections::BTreeSet<_>>().len() > 11)
        .map(|body| format!("AKIA{body}"))
        .expect("many bodies have twelve different letters")
}
