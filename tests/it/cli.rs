//! The program itself: arguments, outputs, exit codes.

use crate::support::program;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory with an empty file, a disk of zeros, and a disk of noise without any structure.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("empty.raw"), b"").unwrap();
    fs::write(folder.path().join("zeros.raw"), vec![0; 1 << 20]).unwrap();
    let noise: Vec<u8> = (0_u32..1 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(folder.path().join("noise.raw"), noise).unwrap();
    folder
}

#[test]
fn what_does_not_open_ends_with_2_and_one_line_that_names_it() {
    let folder = folder();
    fs::create_dir(folder.path().join("directory")).unwrap();
    for image in ["missing.raw", "empty.raw", "directory"] {
        for command in ["scan", "info", "ls", "crosscheck"] {
            let output = program(folder.path(), &[command, image]);
            assert_eq!(code(&output), 2, "{command} {image}: {output:?}");
            let message = stderr(&output);
            assert_eq!(message.lines().count(), 1, "{command} {image}: {message}");
            assert!(message.contains(image), "{command} {image}: {message}");
        }
    }
}

#[test]
fn a_disk_without_any_known_structure_is_incomplete_unless_gaps_are_accepted() {
    let folder = folder();
    assert_eq!(code(&program(folder.path(), &["scan", "noise.raw"])), 3);
    assert_eq!(code(&program(folder.path(), &["scan", "--accept-gaps", "noise.raw"])), 0);
    assert_eq!(code(&program(folder.path(), &["info", "noise.raw"])), 3);
}

#[test]
fn of_several_images_the_unreadable_one_decides_and_the_others_are_still_scanned() {
    let folder = folder();
    let output = program(folder.path(), &["scan", "--format", "jsonl", "missing.raw", "noise.raw"]);
    assert_eq!(code(&output), 2);
    let lines = stdout(&output);
    assert!(lines.contains("\"exit_reason\":\"unreadable\""), "{lines}");
    assert!(lines.contains("\"exit_reason\":\"incomplete\""), "{lines}");
}

#[test]
fn wrong_arguments_end_with_2_and_help_with_0() {
    let folder = folder();
    for wrong in [&["scan"][..], &["scan", "--threads", "x", "zeros.raw"], &["nonsense"]] {
        assert_eq!(code(&program(folder.path(), wrong)), 2, "{wrong:?}");
    }
    for right in [&["--help"][..], &["scan", "--help"], &["--version"], &["cat", "--help"]] {
        assert_eq!(code(&program(folder.path(), right)), 0, "{right:?}");
    }
}

#[test]
fn cat_writes_exactly_the_range_asked_for() {
    let folder = folder();
    let disk = fs::read(folder.path().join("noise.raw")).unwrap();
    let cases: [(&[&str], std::ops::Range<usize>); 5] = [
        (&["cat", "noise.raw", "disk"], 0..disk.len()),
        (&["cat", "noise.raw", "disk @ 0x10+32"], 16..48),
        (&["cat", "noise.raw", "noise.raw / disk @ 1048000"], 1_048_000..disk.len()),
        (&["cat", "noise.raw", "whole @ 5+3"], 5..8),
        (&["cat", "noise.raw", "disk", "--offset", "7", "--length", "2"], 7..9),
    ];
    for (arguments, range) in cases {
        let output = program(folder.path(), arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {output:?}");
        assert!(output.stdout == disk[range], "{arguments:?}");
    }
    for wrong in ["disk @ 1048577", "disk @ 0+1048577", "p9", "p9:/etc/shadow", "inode:x", ""] {
        let output = program(folder.path(), &["cat", "noise.raw", wrong]);
        assert_eq!(code(&output), 2, "{wrong}: {output:?}");
        assert!(output.stdout.is_empty(), "{wrong}");
        assert_eq!(stderr(&output).lines().count(), 1, "{wrong}");
    }
}

#[test]
fn an_output_file_is_never_replaced_without_force_and_never_half_written() {
    let folder = folder();
    let file = folder.path().join("out.jsonl");
    fs::write(&file, "mine").unwrap();
    let again = ["scan", "zeros.raw", "--accept-gaps", "-o", "jsonl:out.jsonl"];
    let output = program(folder.path(), &again);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    program(folder.path(), &[&again[..], &["--force"]].concat());
    assert!(fs::read_to_string(&file).unwrap().starts_with("{\"type\":\"scan\""));
    let output = program(folder.path(), &["scan", "zeros.raw", "-o", "no/such/directory/out.jsonl"]);
    assert_eq!(code(&output), 2);
    let left: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".residue"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn several_reports_are_written_by_one_run_and_standard_output_stays_empty() {
    let folder = folder();
    let output = program(folder.path(), &["scan", "noise.raw", "-o", "jsonl:a.jsonl", "-o", "text:a.txt"]);
    assert_eq!(code(&output), 3);
    assert!(output.stdout.is_empty());
    assert!(fs::read_to_string(folder.path().join("a.txt")).unwrap().contains("INCOMPLETE"));
    let same = program(folder.path(), &["scan", "noise.raw", "-o", "jsonl:b", "-o", "text:b"]);
    assert_eq!(code(&same), 2);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_without_a_word() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_residue"))
        .args(["cat", "noise.raw", "disk"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let folder = folder();
    let page = stdout(&program(folder.path(), &["man"]));
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&program(folder.path(), &["completions", shell]));
        for command in ["scan", "info", "ls", "cat", "crosscheck", "keys", "rules", "checks", "explain"] {
            assert!(script.contains(command), "{shell}: {command}");
            assert!(page.contains(command), "man: {command}");
        }
    }
}

#[test]
fn a_key_for_fingerprints_has_to_be_long_enough() {
    let folder = folder();
    fs::write(folder.path().join("short.key"), "0123456789").unwrap();
    let output = program(folder.path(), &["scan", "--key", "short.key", "zeros.raw"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("at least 16 bytes, found 10"), "{}", stderr(&output));
}

#[test]
fn the_cost_of_rules_is_counted_keyword_by_keyword() {
    let folder = folder();
    // 100 mentions of a host, 20 of which could be followed by a password, and one that is.
    let mut text = "see https://example.net/page for more\n".repeat(80);
    text.push_str(&"https://example.net:8080 and someone@example.net\n".repeat(20));
    text.push_str("https://deploy:kq7Zt2VbX9sLm4@registry.corp-internal.net/v2\n");
    text.push_str(&"\n".repeat(4096));
    fs::write(folder.path().join("text.raw"), text).unwrap();
    let output = program(folder.path(), &["rules", "cost", "text.raw", "--top", "4000"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let (rules, keywords) = text.split_once("keyword\n").unwrap();
    let numbers =
        |line: &str| -> Vec<f64> { line.split_whitespace().map_while(|word| word.parse().ok()).collect() };
    let rule = numbers(rules.lines().find(|line| line.ends_with("  http-url-password")).unwrap());
    let keyword = numbers(keywords.lines().find(|line| line.ends_with("  https://")).unwrap());
    // Per MB of 8,213 bytes: hits, and what is left of them behind the gate; matches are counted as they are.
    let (hits, runs) = (rule[1] * 0.0082, rule[2] * 0.0082);
    assert!((100.0..102.5).contains(&hits) && (0.9..25.0).contains(&runs) && rule[3] == 1.0, "{rule:?}");
    assert_eq!(keyword[0], rule[1]);
    assert_eq!(code(&program(folder.path(), &["rules", "cost", "missing.raw"])), 2);
}
