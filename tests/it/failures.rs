//! What goes wrong while reports are written or read: a clear error, exit code 2, and nothing half-written.

use crate::support::testdata;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn shell(directory: &Path, line: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_residue")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(directory).env("PATH", path);
    command.env("IMAGE", testdata("demo/server.qcow2")).env("SCAN", testdata("reports/scan.jsonl"));
    command.output().unwrap()
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let scan = fs::read_to_string(testdata("reports/scan.jsonl")).unwrap();
    let lines: Vec<&str> = scan.lines().collect();
    write("other.jsonl", &scan.replace("\"schema\":1", "\"schema\":2"));
    write("cut-line.jsonl", scan.get(..scan.len() / 2).unwrap());
    write("cut-end.jsonl", &format!("{}\n", lines[..lines.len() - 1].join("\n")));
    write("no-header.jsonl", &format!("{}\n", lines[1..].join("\n")));
    write("binary.jsonl", "\0\0\0\0");
    write("empty.jsonl", "");
    write("bad.toml", "[[allow]\nid = 'x'\n");
    write("no-reason.toml", "[[allow]]\nid = 'x'\nowner = 'o'\nexpires = 2030-01-01\n");
    write(
        "two-subjects.toml",
        "[[allow]]\nid = 'x'\ncheck = 'y'\nreason = 'r'\nowner = 'o'\nexpires = 2030-01-01\n",
    );
    write("no-date.toml", "[[allow]]\nid = 'x'\nreason = 'r'\nowner = 'o'\nexpires = 'soon'\n");
    write("short.key", "x");
    folder
}

/// A command line that fails, and a part of the one line that says why.
fn check(line: &str, expected: &str) {
    let folder = folder();
    let before = names(folder.path());
    let output = shell(folder.path(), line);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
    assert!(error.contains(expected), "{line}: {error}");
    assert!(error.lines().all(|line| line.starts_with("residue: ")), "{line}: {error}");
    assert_eq!(names(folder.path()), before, "{line} leaves files behind");
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn what_a_gate_is_given_must_be_right_and_whole() {
    let cases = [
        ("residue report \"$SCAN\" -o text:r --allow bad.toml", "bad.toml"),
        ("residue report \"$SCAN\" -o text:r --allow no-reason.toml", "missing field `reason`"),
        ("residue report \"$SCAN\" -o text:r --allow two-subjects.toml", "expected one of id"),
        ("residue report \"$SCAN\" -o text:r --allow no-date.toml", "no-date.toml"),
        ("residue report \"$SCAN\" -o text:r --allow missing.toml", "cannot read the allow-list"),
        ("residue report \"$SCAN\" -o text:r --baseline other.jsonl", "schema: expected 1, found 2"),
        ("residue report \"$SCAN\" -o text:r --baseline missing.jsonl", "cannot open the scan"),
        ("residue report cut-line.jsonl -o text:r -o sarif:s -o html:h", "is cut off"),
        ("residue report cut-end.jsonl -o text:r", "before the scan's `summary`"),
        ("residue report no-header.jsonl -o text:r", "expected a `scan` record first"),
        ("residue report binary.jsonl -o text:r", "is not JSON"),
        ("residue report empty.jsonl -o text:r", "found none"),
        ("residue keys cut-line.jsonl", "is cut off"),
        ("residue diff other.jsonl \"$SCAN\"", "schema: expected 1, found 2"),
        ("residue scan -q \"$IMAGE\" -o text:r --baseline cut-end.jsonl", "before the scan's `summary`"),
        ("residue scan -q \"$IMAGE\" -o text:r --key short.key", "at least 16 bytes"),
        (
            "residue allow cut-line.jsonl --id 1 --reason r --owner o --expires 2030-01-01 --to a.toml",
            "cut off",
        ),
    ];
    for (line, expected) in cases {
        check(line, expected);
    }
}

#[test]
fn a_disk_that_is_full_leaves_no_report_behind() {
    // The limit on the size of files stands for a full disk: writing beyond it fails.
    let small = "trap '' XFSZ; ulimit -f 4;";
    for format in residue::report::FORMATS.iter().filter(|format| !format.entries && format.name != "attest")
    {
        let line = format!(
            "{small} residue report \"$SCAN\" \"$SCAN\" \"$SCAN\" \"$SCAN\" \"$SCAN\" \"$SCAN\" -o {}:r",
            format.name
        );
        check(&line, "cannot");
    }
    check(&format!("{small} residue scan -q \"$IMAGE\" -o bodyfile:b -o timeline:t -o jsonl:j"), "cannot");
    if !Path::new("/dev/full").exists() {
        println!("skipped: there is no /dev/full");
        return;
    }
    check("residue report \"$SCAN\" -o html:h -o jsonl:- > /dev/full", "cannot");
    check("residue report \"$SCAN\" -o html:h -o jsonl:/dev/full", "cannot");
    check("residue keys \"$SCAN\" > /dev/full", "cannot");
    check("residue diff \"$SCAN\" \"$SCAN\" > /dev/full", "cannot");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    check("residue report \"$SCAN\" -o text:missing/r", "cannot make a file in");
    check("residue report \"$SCAN\" -o text:empty.jsonl/r", "empty.jsonl");
    check("residue report \"$SCAN\" -o text:r -o html:r", "two reports have the same target");
    check("residue report \"$SCAN\" -o text:short.key", "exists; --force replaces it");
    check("residue report \"$SCAN\" -o text:. --force", "residue: ");
    // To the administrator every directory is writable, but for those of the kernel.
    if Path::new("/proc/self").exists() {
        check("residue report \"$SCAN\" -o text:/proc/r", "/proc");
    }
}

#[test]
fn what_is_no_regular_file_is_written_to_and_never_replaced() {
    // A pipe stands for devices: a mistake here must not take one away from whoever runs the tests.
    let folder = folder();
    let line =
        "mkfifo pipe; wc -l < pipe & residue report \"$SCAN\" -o jsonl:pipe --force; wait; test -p pipe";
    let output = shell(folder.path(), line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "19", "{:?}", output.stderr);
    let output = shell(folder.path(), "residue report \"$SCAN\" -o jsonl:/dev/stdout | wc -l");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "19", "{:?}", output.stderr);
}
