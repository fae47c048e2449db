//! Nothing that a scan writes holds a secret, wherever the secret stood: in contents, names, comments, metadata.

use crate::support::{fixture, program};
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use residue::report;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// What `testdata/reports/leak/make.sh` planted: everywhere, in one file, and in names only.
const SECRETS: [&str; 3] = ["Pw7-Trombone-4x", "Other-Secret-81z", "AKIAQ3EGRTZ7XW5UVMNB"];

/// A secret as it is, and in the forms in which it could slip through.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent = |upper: bool| -> String {
        bytes.iter().map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") }).collect()
    };
    let spaced: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        secret.to_owned(),
        secret.to_lowercase(),
        HEXLOWER.encode(bytes),
        HEXUPPER.encode(bytes),
        spaced.join(" "),
        percent(true),
        percent(false),
        // Percent-encoding of what is not a letter or digit.
        secret.replace('-', "%2D"),
        bytes.iter().rev().map(|&byte| char::from(byte)).collect(),
    ];
    // Base64 at each of the three places in its group, without the digits that depend on the neighbours.
    for shift in 0..3 {
        let shifted = [&b"xx"[..shift], bytes].concat();
        let text = BASE64.encode(&shifted);
        let from = (shift * 8).div_ceil(6);
        let to = shifted.len() * 8 / 6;
        forms.push(text[from..to].to_owned());
    }
    forms
}

/// Everything that commands write about the image, by name.
fn outputs(folder: &Path, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    std::fs::write(folder.join("leak.qcow2"), fixture("reports/leak/leak.qcow2")).unwrap();
    let mut all = BTreeMap::new();
    let names: Vec<String> =
        report::FORMATS.iter().map(|format| format!("{0}:all.{0}", format.name)).collect();
    let mut arguments = vec!["scan", "leak.qcow2", "--hash", "--force", "--possible"];
    names.iter().for_each(|name| arguments.extend(["-o", name]));
    arguments.extend(more);
    let mut take = |name: &str, output: Output| {
        all.insert(format!("{name}, standard output"), output.stdout);
        all.insert(format!("{name}, standard error"), output.stderr);
    };
    take("scan", program(folder, &arguments));
    take("keys", program(folder, &["keys", "all.jsonl", "--all"]));
    take("keys as JSON", program(folder, &["keys", "all.jsonl", "--all", "--format", "json"]));
    take("keys as a picture", program(folder, &["keys", "all.jsonl", "--all", "--format", "dot"]));
    let lines = std::fs::read_to_string(folder.join("all.jsonl")).unwrap();
    let few: String = lines
        .lines()
        .filter(|line| !line.contains("\"type\":\"finding\""))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(folder.join("none.jsonl"), few).unwrap();
    take("diff", program(folder, &["diff", "none.jsonl", "all.jsonl"]));
    take("report", program(folder, &["report", "all.jsonl"]));
    // A cut file is quoted by no error.
    std::fs::write(folder.join("cut.jsonl"), &lines[..lines.len() - 20]).unwrap();
    take("cut", program(folder, &["report", "cut.jsonl"]));
    for format in report::FORMATS {
        let name = format!("all.{}", format.name);
        all.insert(name.clone(), std::fs::read(folder.join(&name)).unwrap());
    }
    all
}

#[test]
fn no_output_holds_a_secret_in_any_form() {
    let folder = TempDir::new().unwrap();
    let mut leaks = Vec::new();
    for (name, bytes) in outputs(folder.path(), &[]) {
        let text = String::from_utf8(bytes).unwrap();
        for form in SECRETS.into_iter().flat_map(forms) {
            if let Some(at) = text.find(&form) {
                let around = text.get(at.saturating_sub(60)..at).unwrap_or_default();
                leaks.push(format!("{name} holds {form} behind {around:?}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn the_same_search_finds_what_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let outputs = outputs(folder.path(), &["--show-secrets"]);
    for name in ["all.jsonl", "all.html", "all.text", "all.csv", "all.bodyfile", "all.timeline"] {
        let text = String::from_utf8_lossy(&outputs[name]);
        assert!(text.contains(SECRETS[0]), "{name}");
    }
}
