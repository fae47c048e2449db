//! Archives in forms that are less common: other methods of compression, something before the archive, an archive
//! that was cut, initial RAM disks, packs of git without their bases, streams of PDF in ASCII.

use crate::support::{Scanned, fixture, found, image, scan, tokens_only};
use residue::coverage::GapKind;
use std::collections::BTreeSet;

/// A volume that `testdata/content/packed/make.sh` makes.
fn scan_of(name: &str) -> Scanned {
    let file = image(&fixture(&format!("content/packed/{name}.img")));
    scan(file.path(), &tokens_only(2, 1 << 20))
}

/// Path and kind of each gap: what was cut or lacks its base is named, though all that is there was read.
fn gaps(scanned: &Scanned) -> Vec<(&str, GapKind)> {
    scanned.gaps.iter().map(|gap| (gap.path.as_deref().unwrap_or_default(), gap.kind)).collect()
}

const GAPS: [(&str, GapKind); 3] =
    [("/cut-piped.zip", GapKind::Damaged), ("/cut.zip", GapKind::Damaged), ("/thin.pack", GapKind::Limited)];

#[test]
fn secrets_in_archives_of_less_common_forms_are_found_under_their_member() {
    let planted = scan_of("planted");
    let expected = [
        ("/lzma.zip", "conf", "5AA"),
        ("/app.jar", "conf", "5AB"),
        ("/app.pyz", "__main__.py", "5AC"),
        ("/cut.zip", "one", "5AD"),
        ("/cut.zip", "two", "5AE"),
        ("/cut-piped.zip", "one", "5AF"),
        ("/cut-piped.zip", "two", "5AG"),
        ("/ascii.pdf", "object 1", "5AH"),
        ("/ascii.pdf", "object 2", "5AI"),
        ("/ascii.pdf", "object 3", "5AJ"),
        ("/deflate64.zip", "5BA", "5BA"),
        ("/ppmd.zip", "5BB", "5BB"),
        ("/ppmd.7z", "5BC", "5BC"),
        ("/deflate64.7z", "5BD", "5BD"),
        ("/copy.7z", "5BE", "5BE"),
        ("/bcj2.7z", "5BF", "5BF"),
        ("/legacy.lz4", "lz4", "5BG"),
        // What LZ4 cannot shorten stands there as it was, too.
        ("/legacy.lz4", "", "5BG"),
        ("/initrd-lz4", "etc/key", "5BH"),
        ("/initrd-lz4", "", "5BH"),
        ("/initrd-plain", "etc/key", "5BI"),
        // The whole of a bundle has the base; what was sent without it has what the delta puts in.
        ("/all.bundle", "pack!/3de69f5dbcc4077ded1a3378e0bcf3dbfda48508", "5BJ"),
        ("/thin.pack", "object at 191, without its base", "5BJ"),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(path, member, secret)| (path.into(), member.into(), secret.into())).into();
    assert_eq!(found(&planted), expected);
    assert_eq!(gaps(&planted), GAPS);
    assert!(planted.summary.coverage.is_whole());
}

#[test]
fn the_same_archives_without_secrets_are_silent() {
    let control = scan_of("control");
    assert!(control.findings.is_empty(), "{:?}", found(&control));
    assert_eq!(gaps(&control), GAPS);
}
