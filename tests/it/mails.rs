//! What mails hold in parts of Base64 is found whatever it is: text that does not start in ASCII, text in UTF-16,
//! archives of any length, in files and in what is left of them.

use crate::support::{Scanned, fixture, found, image, scan, shown_again, tokens_only};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A volume that `testdata/content/mails/make.sh` makes.
fn scan_of(name: &str, threads: usize, unit: u64) -> Scanned {
    let file = image(&fixture(&format!("content/mails/{name}.img")));
    scan(file.path(), &tokens_only(threads, unit))
}

fn planted() -> &'static Scanned {
    static SCANNED: OnceLock<Scanned> = OnceLock::new();
    SCANNED.get_or_init(|| scan_of("planted", 2, 1 << 20))
}

#[test]
fn secrets_in_parts_of_mails_are_found_once_each() {
    let expected = [
        ("/chinese.eml", "base64", "4AA"),
        ("/german.eml", "base64", "4AB"),
        ("/zip.eml", "base64@451!/conf", "4AC"),
        ("/large.eml", "base64@455!/conf", "4AD"),
        ("/wide.eml", "base64", "4AE"),
        ("/bytes.eml", "base64", "4AF"),
        ("/forwarded.eml", "base64", "4AG"),
        ("/deleted.eml", "base64", "4AH"),
        ("/spool", "base64", "4AI"),
        ("/spool", "base64@1225!/conf", "4AJ"),
        ("/spool", "base64", "4AK"),
        ("/spool.1.gz", "gzip!/base64", "4AI"),
        ("/spool.1.gz", "gzip!/base64@1225!/conf", "4AJ"),
        ("/spool.1.gz", "gzip!/base64", "4AK"),
        ("/long.eml", "quoted-printable", "4AL"),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(path, member, secret)| (path.into(), member.into(), secret.into())).into();
    assert_eq!(found(planted()), expected);
    assert_eq!(planted().findings.len(), expected.len());
    assert!(planted().gaps.is_empty(), "{:?}", planted().gaps);
    assert!(planted().summary.coverage.is_whole());
}

#[test]
fn text_is_told_by_where_it_stands_on_the_disk() {
    let bytes = fixture("content/mails/planted.img");
    let text = |member: &str| member == "base64";
    let places =
        planted().findings.iter().filter(|finding| finding.place.member.as_deref().is_some_and(text));
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("disk.img"), &bytes).unwrap();
    let mut count = 0;
    for finding in places {
        let secret = finding.secret_shown.as_deref().unwrap();
        let at = finding.place.disk_offset.unwrap() as usize;
        let text = &bytes[at..][..finding.length.unwrap() as usize];
        let mut shown = shown_again(folder.path(), "disk.img", finding);
        // No more characters than hold a bit of it, in lines or not.
        let characters = text.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        let fewest = (shown.len() * 8).div_ceil(6);
        assert!((fewest..=fewest + 1).contains(&characters), "{:?}: {characters}", finding.place);
        // One of them is in UTF-16.
        shown.retain(|&byte| byte != 0);
        assert_eq!(shown, secret.as_bytes(), "{:?}", finding.place);
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn the_same_mails_without_secrets_are_silent() {
    let control = scan_of("control", 2, 1 << 20);
    assert!(control.findings.is_empty(), "{:?}", found(&control));
    assert!(control.gaps.is_empty(), "{:?}", control.gaps);
}

#[test]
fn findings_in_mails_do_not_depend_on_threads_or_units() {
    let other = scan_of("planted", 1, 4099);
    let told = |scanned: &Scanned| {
        let mut places: Vec<_> = scanned.findings.iter().map(|finding| finding.place.clone()).collect();
        places.iter_mut().for_each(|place| place.image.clear());
        places
    };
    assert_eq!(told(planted()), told(&other));
}
