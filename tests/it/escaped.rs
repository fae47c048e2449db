//! Secrets in text with escapes (mails in quoted-printable, percent-encoding, strings of JSON, character
//! references) are found, and told by where they stand in the text as it is.

use crate::support::{Scanned, fixture, image, scan};
use residue::scan::Options;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A volume that `testdata/content/escaped/make.sh` makes.
fn scan_of(name: &str, threads: usize, unit: u64) -> Scanned {
    let file = image(&fixture(&format!("content/escaped/{name}.img")));
    let only = vec!["aws-access-key-id".into(), "postgres-url".into()];
    let options =
        Options { show_secrets: true, all_verdicts: true, only, threads, unit, ..Options::default() };
    scan(file.path(), &options)
}

fn planted() -> &'static Scanned {
    static SCANNED: OnceLock<Scanned> = OnceLock::new();
    SCANNED.get_or_init(|| scan_of("planted", 2, 1 << 20))
}

/// Path, member and end of the secret of each finding.
fn found(scanned: &Scanned) -> Vec<(&str, &str, &str)> {
    let mut found: Vec<_> = scanned
        .findings
        .iter()
        .map(|finding| {
            let secret = finding.secret_shown.as_deref().unwrap();
            let place = &finding.place;
            let end = secret.get(secret.len().saturating_sub(3)..).unwrap();
            (place.path.as_deref().unwrap_or_default(), place.member.as_deref().unwrap_or_default(), end)
        })
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn secrets_in_text_with_escapes_are_found_once_each() {
    let expected = [
        // Cut by a soft line break: in the word that is searched for, and behind it.
        ("/Maildir/new/message", "quoted-printable", "3AG"),
        ("/access.log", "percent-encoded", "3AI"),
        ("/access.log", "percent-encoded", "5Yz"),
        ("/cut-13.eml", "quoted-printable", "3AC"),
        ("/cut-2.eml", "quoted-printable", "3AA"),
        ("/cut-6.eml", "quoted-printable", "3AB"),
        // Of a file that was deleted.
        ("/deleted.eml", "quoted-printable", "3AD"),
        ("/inner.json", "json-escaped!/json-escaped", "3AL"),
        ("/jq.txt", "percent-encoded", "3AJ"),
        ("/lines.json", "json-escaped", "3AK"),
        ("/node.txt", "percent-encoded", "9Lf"),
        ("/page.html", "", "3AM"),
        ("/page.html", "html-escaped", "2Gk"),
        ("/page.js", "", "3Wc"),
        ("/part.txt", "quoted-printable", "3AH"),
        ("/slashes.json", "json-escaped", "4Sd"),
        ("/spool", "base64", "3AE"),
        ("/spool", "quoted-printable", "3AF"),
        ("/url.eml", "quoted-printable", "7Xp"),
    ];
    assert_eq!(found(planted()), expected);
}

#[test]
fn they_are_told_by_where_they_stand_on_the_disk() {
    let bytes = fixture("content/escaped/planted.img");
    for finding in
        planted().findings.iter().filter(|finding| finding.place.member.as_deref() != Some("base64"))
    {
        let secret = finding.secret_shown.as_deref().unwrap().as_bytes();
        let at = finding.place.disk_offset.unwrap() as usize;
        assert_eq!(bytes[at..at + 2], secret[..2], "{:?}", finding.place);
    }
}

#[test]
fn the_same_texts_without_secrets_are_silent() {
    let control = scan_of("control", 2, 1 << 20);
    assert!(control.findings.is_empty(), "{:?}", found(&control));
}

#[test]
fn findings_in_text_with_escapes_do_not_depend_on_threads_or_units() {
    for unit in [512, 4099] {
        let other = scan_of("planted", 1, unit);
        let places = |scanned: &Scanned| {
            let places = scanned.findings.iter().map(|finding| {
                (finding.place.disk_offset, finding.place.file_offset, finding.place.member.clone())
            });
            places.collect::<BTreeSet<_>>()
        };
        assert_eq!(places(planted()), places(&other), "{unit}");
    }
}
