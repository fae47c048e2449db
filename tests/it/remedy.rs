//! `residue remedy`: scripts that a shell can run, whatever the names in the image are.

use super::reports::records;
use residue::finding::Finding;
use residue::location::escape;
use residue::report::{OwnedRecord, write_line};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that would do harm or mislead if they were not quoted.
const HOSTILE: [&[u8]; 12] = [
    b"plain",
    b"a b",
    b"it's",
    b"'; touch PWNED; '",
    b"$(touch PWNED)",
    b"`touch PWNED`",
    b"line\nfeed\n",
    b"-rf",
    b"*",
    b"100%s\\n",
    b"\xff\xfe raw",
    "\u{202e}txt.sh \u{2019}; Remove-Item x".as_bytes(),
];

/// A scan with one finding for each of these: check, path, first line of the evidence.
fn scan(findings: &[(&str, Vec<u8>, &str)], filesystem: &str) -> String {
    let mut all = records();
    let template = all.iter().find_map(|record| match record {
        OwnedRecord::Finding(finding) => Some((**finding).clone()),
        _ => None,
    });
    let template = template.unwrap();
    all.retain(|record| matches!(record, OwnedRecord::Scan(_) | OwnedRecord::Summary(_)));
    if let OwnedRecord::Scan(header) = &mut all[0] {
        let text = serde_json::to_string(&header.volumes).unwrap();
        let text = text.replace("\"kind\":\"ext4\"", &format!("\"kind\":\"{filesystem}\""));
        header.volumes = serde_json::from_str(&text).unwrap();
    }
    for (check, path, evidence) in findings {
        let mut finding = Finding { rule: (*check).to_owned(), ..template.clone() };
        finding.place.volume = "p1".to_owned();
        finding.place.path = Some(escape(path));
        finding.place.member = None;
        finding.place.stream = None;
        finding.place.state = Some(residue::location::State::Allocated);
        finding.title = "x\n; touch PWNED".to_owned();
        finding.evidence = vec![(*evidence).to_owned(), "size: 1 bytes".to_owned()];
        finding.place.line = None;
        finding.category = residue::rules::Category::Leftover;
        finding.known_good = None;
        finding.allowed = None;
        all.insert(1, OwnedRecord::Finding(Box::new(finding)));
    }
    let mut out = Vec::new();
    all.iter().for_each(|record| write_line(&mut out, &record.borrow()).unwrap());
    String::from_utf8(out).unwrap()
}

fn remedy(scan: &str, shell: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scan.jsonl");
    std::fs::write(&file, scan).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_residue"))
        .args(["remedy", "--shell", shell])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
        "only plain text stands in a script"
    );
    text
}

struct Playground {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Playground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root of volume");
        std::fs::create_dir_all(root.join("home/bob")).unwrap();
        Self { root, _folder: folder }
    }

    fn put(&self, path: &[u8]) -> PathBuf {
        let path = self.root.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "content").unwrap();
        path
    }

    /// Runs a script in the playground; `None` where this machine has no shell.
    fn run(&self, script: &str, apply: bool) -> Option<String> {
        let file = self.root.join("../cleanup.sh");
        std::fs::write(&file, script).unwrap();
        let mut volume = std::ffi::OsString::from("p1=");
        volume.push(&self.root);
        let mut command = Command::new("sh");
        command.arg(&file).args(apply.then_some("--apply")).arg(volume).current_dir(&self.root);
        let Ok(output) = command.output() else {
            println!("skipped: no sh on this machine");
            return None;
        };
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}\n{script}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_script_removes_what_it_names_and_nothing_else() {
    let ground = Playground::new();
    let mut findings = Vec::new();
    for name in HOSTILE {
        let path = [b"/home/bob/", name].concat();
        ground.put(&path);
        findings.push(("bash-history", path, "entries in all: 1"));
    }
    let kept = ground.put(b"/home/bob/kept");
    let script = remedy(&scan(&findings, "ext4"), "posix");
    let Some(shown) = ground.run(&script, false) else { return };
    assert_eq!(entries(&ground.root.join("home/bob")), HOSTILE.len() + 1, "without --apply nothing changes");
    assert_eq!(shown.matches("remove: ").count(), HOSTILE.len(), "{shown}");
    ground.run(&script, true).unwrap();
    assert!(kept.exists());
    assert_eq!(entries(&ground.root.join("home/bob")), 1, "all of them, and nothing else, is removed");
    assert!(!ground.root.join("PWNED").exists() && !ground.root.join("../PWNED").exists());
}

#[test]
fn links_do_not_lead_a_script_out_of_the_volume() {
    let ground = Playground::new();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("x");
    std::fs::write(&victim, "content").unwrap();
    std::os::unix::fs::symlink(outside.path(), ground.root.join("home/eve")).unwrap();
    std::os::unix::fs::symlink(&victim, ground.root.join("home/bob/authorized_keys")).unwrap();
    let findings = [
        ("bash-history", b"/home/eve/x".to_vec(), ""),
        ("ssh-authorized-keys", b"/home/bob/authorized_keys".to_vec(), ""),
        ("tmp-nonempty", b"/home/eve".to_vec(), "entries: 1"),
        ("var-log-nonempty", b"/home/eve".to_vec(), "entries: 1"),
    ];
    let script = remedy(&scan(&findings, "ext4"), "posix");
    if ground.run(&script, true).is_some() {
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "content");
    }
}

#[test]
fn directories_are_cleared_and_logs_emptied() {
    let ground = Playground::new();
    let log = ground.put(b"/var/log/[a]/syslog");
    ground.put(b"/tmp/a/b");
    ground.put(b"/tmp/.hidden");
    let key = ground.put(b"/root/.ssh/authorized_keys");
    let findings = [
        ("var-log-nonempty", b"/var/log".to_vec(), "entries: 1"),
        ("tmp-nonempty", b"/tmp".to_vec(), "entries: 2"),
        ("ssh-authorized-keys", b"/root/.ssh/authorized_keys".to_vec(), ""),
    ];
    let script = remedy(&scan(&findings, "ext4"), "posix");
    if ground.run(&script, true).is_some() {
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
        assert_eq!(std::fs::metadata(&key).unwrap().len(), 0);
        assert_eq!(entries(&ground.root.join("tmp")), 0);
    }
}

#[test]
fn powershell_gets_every_name_in_quotes_that_it_cannot_leave() {
    let findings: Vec<(&str, Vec<u8>, &str)> = HOSTILE
        .iter()
        .map(|name| ("powershell-psreadline-history", [b"/Users/bob/", *name].concat(), ""))
        .collect();
    let script = remedy(&scan(&findings, "ntfs"), "powershell");
    let lines: Vec<&str> = script.lines().filter(|line| line.starts_with("  Remove-Leftover ")).collect();
    assert_eq!(lines.len(), HOSTILE.len());
    for line in lines {
        let mut rest = line.strip_prefix("  Remove-Leftover ").unwrap();
        rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
        let rest = rest.replace("''", "");
        // Behind doubled quotes only whole strings and numbers are left.
        for part in rest.trim_start_matches(" + ").split(" + ") {
            let is_number =
                part.strip_prefix("[char] 0x").is_some_and(|hex| u16::from_str_radix(hex, 16).is_ok());
            let text = part.strip_prefix('\'').and_then(|part| part.strip_suffix('\''));
            assert!(is_number || text.is_some_and(|text| !text.contains('\'')), "{line}: {part}");
        }
    }
    assert!(script.contains("[char] 0x2019"));
}

#[test]
fn notes_say_what_no_script_can_do() {
    let script = remedy(&scan(&[("tls-private-key", b"/x".to_vec(), "")], "ext4"), "posix");
    for part in ["ROTATE", "overwrite free space", "export again", "scan the new file", "BY HAND: /x"] {
        assert!(script.contains(part), "{part}: {script}");
    }
    let both = remedy(&scan(&[("bash-history", b"/x".to_vec(), "")], "ext4"), "powershell");
    assert!(both.contains("findings are on Linux volumes"), "{both}");
}
