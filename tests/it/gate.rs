//! The gate on the demonstration image: reports, allow-lists, baselines, and that nothing leaks.

use crate::support::{self, program};
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use residue::location::State;
use residue::report::{self, OwnedRecord, words};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// What the image's script planted, and what nobody may read in a report.
const SECRETS: [&str; 4] = [
    "v9Kd-Trombone-41x",
    "h3Qz8WvN1xKc5RtYb7MpLd2SgFj9Ae",
    "LTAI5tQ7mZr2Vx9KpWc4Hd8N",
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
];

fn image() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo/server.qcow2")
}

/// The image scanned into every format, once for all tests that need nothing else; the files are copied.
fn scan_all(folder: &Path, more: &[&str]) -> Output {
    static PLAIN: OnceLock<(TempDir, Output)> = OnceLock::new();
    if !more.is_empty() {
        return scan_into(folder, more);
    }
    let (plain, output) = PLAIN.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let output = scan_into(folder.path(), &[]);
        (folder, output)
    });
    for format in report::FORMATS {
        let name = format!("all.{}", format.name);
        fs::copy(plain.path().join(&name), folder.join(&name)).unwrap();
    }
    output.clone()
}

/// Scans the demonstration image into every format; the files are named after the formats.
fn scan_into(folder: &Path, more: &[&str]) -> Output {
    let image = image();
    let outputs: Vec<String> =
        report::FORMATS.iter().map(|format| format!("{0}:all.{0}", format.name)).collect();
    let mut arguments = vec!["scan", image.to_str().unwrap(), "--hash", "--force"];
    for output in &outputs {
        arguments.extend(["-o", output]);
    }
    arguments.extend(more);
    program(folder, &arguments)
}

fn read(folder: &Path, format: &str) -> String {
    fs::read_to_string(folder.join(format!("all.{format}"))).unwrap()
}

fn records(folder: &Path) -> Vec<OwnedRecord> {
    support::records(&folder.join("all.jsonl"))
}

/// A secret as it is, and in the forms in which it could slip through.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let base64 = BASE64.encode(bytes);
    // The last group depends on what follows.
    let base64 = base64.get(..base64.len() / 4 * 4 - 4).unwrap().to_owned();
    vec![secret.to_owned(), HEXLOWER.encode(bytes), HEXUPPER.encode(bytes), percent, base64]
}

#[test]
fn what_was_planted_is_found_and_the_gate_closes() {
    let folder = TempDir::new().unwrap();
    let output = scan_all(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let records = records(folder.path());
    let has = |path: Option<&str>, category: &str| {
        records.iter().any(|record| match record {
            OwnedRecord::Finding(finding) => {
                finding.place.path.as_deref() == path && finding.category.to_string() == category
            }
            _ => false,
        })
    };
    let expected = [
        (Some("/home/deploy/.ssh/id_ed25519"), "private-key"),
        (Some("/home/deploy/app/application.properties"), "cloud-key"),
        (Some("/home/deploy/.bash_history"), "leftover"),
        (Some("/etc/shadow"), "password-hash"),
        (Some("/var/log"), "leftover"),
    ];
    for (path, category) in expected {
        assert!(has(path, category), "{path:?} {category}");
    }
    let is_deleted_key = |record: &OwnedRecord| match record {
        OwnedRecord::Finding(finding) => {
            finding.category.to_string() == "private-key" && finding.place.state == Some(State::Deleted)
        }
        _ => false,
    };
    assert!(records.iter().any(is_deleted_key));
    let Some(OwnedRecord::Summary(summary)) = records.last() else { panic!("no summary") };
    assert!(summary.coverage.is_whole());
    assert_eq!(summary.coverage.unread, 0);
}

#[test]
fn no_report_and_no_message_holds_a_secret_unless_asked() {
    let folder = TempDir::new().unwrap();
    let output = scan_all(folder.path(), &[]);
    let mut texts = vec![
        ("standard output", String::from_utf8_lossy(&output.stdout).into_owned()),
        ("standard error", String::from_utf8_lossy(&output.stderr).into_owned()),
    ];
    texts.extend(report::FORMATS.iter().map(|format| (format.name, read(folder.path(), format.name))));
    for (name, text) in &texts {
        for form in SECRETS.into_iter().flat_map(forms) {
            assert!(!text.contains(&form), "{name} holds {form}");
        }
    }
    // The same search finds them when they are asked for, so that the search itself is proven.
    scan_all(folder.path(), &["--show-secrets"]);
    for format in ["jsonl", "text", "csv", "html"] {
        let text = read(folder.path(), format);
        let shown = SECRETS.iter().filter(|secret| text.contains(**secret)).count();
        assert_eq!(shown, SECRETS.len(), "{format}");
    }
}

#[test]
fn reports_do_not_depend_on_the_number_of_threads() {
    let (one, many) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    scan_all(one.path(), &["--threads", "1"]);
    scan_all(many.path(), &["--threads", "5"]);
    for format in report::FORMATS {
        assert!(read(one.path(), format.name) == read(many.path(), format.name), "{}", format.name);
    }
}

#[test]
fn a_report_made_later_is_the_one_that_the_scan_made() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    for format in report::FORMATS.iter().filter(|format| !format.entries) {
        let output = program(folder.path(), &["report", "all.jsonl", "--format", format.name]);
        assert_eq!(output.status.code(), Some(1), "{}: {output:?}", format.name);
        assert!(output.stdout == read(folder.path(), format.name).as_bytes(), "{}", format.name);
    }
}

#[test]
fn an_allowed_finding_opens_the_gate_until_its_entry_expires() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    let fail_on = words::SEVERITIES[2];
    let mut arguments: Vec<String> =
        ["allow", "all.jsonl", "--reason", "made up", "--owner", "tests"].map(str::to_owned).to_vec();
    for record in records(folder.path()) {
        if let OwnedRecord::Finding(finding) = record
            && report::fails(&finding, fail_on)
        {
            arguments.extend(["--id".to_owned(), finding.id]);
        }
    }
    for (expires, file, code) in [("9999-12-31", "good.toml", 0), ("2001-01-01", "old.toml", 1)] {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--expires", expires, "--to", file]);
        let written = program(folder.path(), &arguments);
        assert_eq!(written.status.code(), Some(0), "{written:?}");
        let output = program(folder.path(), &["report", "all.jsonl", "--allow", file]);
        assert_eq!(output.status.code(), Some(code), "{expires}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("expired on"), code == 1, "{text}");
    }
    let unknown =
        ["allow", "all.jsonl", "--reason", "r", "--owner", "o", "--expires", "2030-01-01", "--id", "x"];
    assert_eq!(program(folder.path(), &unknown).status.code(), Some(2));
}

#[test]
fn a_baseline_lets_what_is_known_pass_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    let known = program(folder.path(), &["report", "all.jsonl", "--baseline", "all.jsonl"]);
    assert_eq!(known.status.code(), Some(0), "{known:?}");
    let all = read(folder.path(), "jsonl");
    let without_keys: String = all
        .lines()
        .filter(|line| !line.contains("\"category\":\"private-key\""))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(folder.path().join("before.jsonl"), without_keys).unwrap();
    let new = program(folder.path(), &["report", "all.jsonl", "--baseline", "before.jsonl"]);
    assert_eq!(new.status.code(), Some(1), "{new:?}");
    let cut: String = all.lines().take(3).map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("cut.jsonl"), cut).unwrap();
    let refused = program(folder.path(), &["report", "all.jsonl", "--baseline", "cut.jsonl"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn diff_tells_gone_from_moved() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    let image = image();
    let same = program(folder.path(), &["diff", image.to_str().unwrap(), image.to_str().unwrap()]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let all = read(folder.path(), "jsonl");
    let without = |part: &str| -> String {
        all.lines().filter(|line| !line.contains(part)).map(|line| format!("{line}\n")).collect()
    };
    // The key's file is erased, its deleted copy is not.
    fs::write(folder.path().join("after.jsonl"), without("/.ssh/id_ed25519\"")).unwrap();
    let output = program(folder.path(), &["diff", "all.jsonl", "after.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with("left ") && line.contains("id_ed25519")), "{text}");
    let fingerprint = records(folder.path())
        .into_iter()
        .find_map(|record| match record {
            OwnedRecord::Finding(finding) if finding.category.to_string() == "private-key" => {
                finding.fingerprint
            }
            _ => None,
        })
        .unwrap();
    fs::write(folder.path().join("clean.jsonl"), without(&fingerprint)).unwrap();
    let output = program(folder.path(), &["diff", "all.jsonl", "clean.jsonl"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with("gone ") && line.contains("id_ed25519")), "{text}");
    let back = program(folder.path(), &["diff", "clean.jsonl", "all.jsonl"]);
    assert_eq!(back.status.code(), Some(1), "{back:?}");
}

#[test]
fn every_place_in_a_report_can_be_opened_again() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    let image = image();
    let mut opened = 0;
    for record in records(folder.path()) {
        let OwnedRecord::Finding(finding) = record else { continue };
        if finding.place.member.is_some() {
            continue;
        }
        let place = words::place(&finding.place);
        let output = program(folder.path(), &["cat", image.to_str().unwrap(), &place]);
        assert_eq!(output.status.code(), Some(0), "{place}: {output:?}");
        opened += 1;
    }
    assert!(opened > 5, "{opened}");
    let key = program(folder.path(), &["cat", image.to_str().unwrap(), "/home/deploy/.ssh/id_ed25519"]);
    assert!(key.stdout.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY-----"));
}

#[test]
fn the_independent_reader_agrees_on_every_file() {
    let folder = TempDir::new().unwrap();
    let output = program(folder.path(), &["crosscheck", image().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains(" 0 different without explanation"));
}

#[test]
fn a_listing_has_the_digest_of_what_cat_writes() {
    use sha2::Digest as _;
    let folder = TempDir::new().unwrap();
    let image = image();
    let image = image.to_str().unwrap();
    let output = program(folder.path(), &["ls", image, "/etc", "--hash", "sha256", "--format", "jsonl"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut files = 0;
    for line in lines.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let path = entry["path"].as_str().unwrap();
        assert!(path == "/etc" || path.starts_with("/etc/"), "{path}");
        let Some(sha256) = entry["sha256"].as_str() else { continue };
        let content = program(folder.path(), &["cat", image, path]).stdout;
        assert_eq!(sha256, HEXLOWER.encode(&sha2::Sha256::digest(&content)), "{path}");
        files += 1;
    }
    assert!(files >= 4, "{lines}");
}

#[test]
fn an_attestation_binds_the_verdict_to_the_image() {
    use sha2::Digest as _;
    let folder = TempDir::new().unwrap();
    let image = image();
    let arguments = ["scan", image.to_str().unwrap(), "--attest", "statement.json", "-o", "text:report.txt"];
    assert_eq!(program(folder.path(), &arguments).status.code(), Some(1));
    let text = fs::read_to_string(folder.path().join("statement.json")).unwrap();
    let statement: serde_json::Value = serde_json::from_str(&text).unwrap();
    let digest = HEXLOWER.encode(&sha2::Sha256::digest(fs::read(&image).unwrap()));
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.as_str());
    assert_eq!(statement["predicate"]["result"], "FAILED");
}

#[test]
fn mactime_reads_the_body_file() {
    let folder = TempDir::new().unwrap();
    scan_all(folder.path(), &[]);
    let file = folder.path().join("all.bodyfile");
    let Ok(output) = Command::new("mactime").args(["-d", "-b"]).arg(&file).output() else {
        println!("skipped: mactime is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line.contains("p1:/home/deploy/.ssh/id_ed25519")), "{text}");
}

/// The shell steps of the recipes, by name.
fn steps() -> Vec<(String, String)> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let mut steps = Vec::new();
    for part in page.split("<!-- step: ").skip(1) {
        let (name, rest) = part.split_once(" -->").unwrap();
        let (_, rest) = rest.split_once("```sh\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        steps.push((name.to_owned(), text.to_owned()));
    }
    steps
}

#[test]
fn the_shell_steps_of_the_recipes_work_as_they_are_written() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("allow.toml"), "").unwrap();
    fs::write(folder.path().join("team.key"), "0123456789abcdef0123456789abcdef").unwrap();
    let steps = steps();
    assert_eq!(steps.len(), 3);
    let program = Path::new(env!("CARGO_BIN_EXE_residue")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let shell = |text: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", text]).current_dir(folder.path()).env("PATH", &path).env("IMAGE", image());
        command.output().unwrap()
    };
    // The baseline of the second step is a scan under the same key.
    let made = shell("residue scan -q --key team.key -o jsonl:last.jsonl \"$IMAGE\"");
    assert_eq!(made.status.code(), Some(1), "{made:?}");
    let codes = [("gate", 1), ("baseline", 0), ("attest", 1)];
    for ((name, text), (expected, code)) in steps.iter().zip(codes) {
        assert_eq!(name, expected);
        let output = shell(text);
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        let made = ["gate.sarif", "gate.xml", "gate.html", "gate.jsonl", "statement.json"];
        let files: Vec<_> = made.iter().filter(|file| folder.path().join(file).exists()).collect();
        assert!(!files.is_empty(), "{name}");
        made.iter().filter(|file| text.contains(**file)).for_each(|file| {
            fs::remove_file(folder.path().join(file)).unwrap();
        });
    }
}
