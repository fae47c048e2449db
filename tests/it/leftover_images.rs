//! Checks over whole images: what decoders, sweep and checks say together.

use crate::support;
use residue::finding::Finding;
use residue::leftover::CheckState;
use residue::record::Summary;
use residue::report::{self, OwnedRecord};
use std::process::Command;

/// Findings and summary of a fixture.
fn scan(name: &str, args: &[&str]) -> (Vec<Finding>, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.raw");
    std::fs::write(&image, support::fixture(&format!("leftovers/{name}"))).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_residue"))
        .args(["scan", "--quiet", "--format", "jsonl"])
        .args(args)
        .arg(&image)
        .output()
        .unwrap();
    let (mut findings, mut summary) = (Vec::new(), None);
    report::read(output.stdout.as_slice(), &mut |record| {
        match record {
            OwnedRecord::Finding(finding) => findings.push(*finding),
            OwnedRecord::Summary(own) => summary = Some(*own),
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    (findings, summary.unwrap())
}

fn state<'s>(summary: &'s Summary, check: &str) -> &'s CheckState {
    &summary.checks.iter().find(|outcome| outcome.check == check).unwrap().state
}

#[test]
fn a_secret_that_a_rule_and_a_check_find_is_one_finding_that_names_both() {
    let (findings, summary) = scan("server-dirty", &[]);
    let path = Some("/etc/ssh/ssh_host_ed25519_key");
    let keys: Vec<&Finding> = findings.iter().filter(|one| one.place.path.as_deref() == path).collect();
    let [key] = keys.as_slice() else { panic!("{keys:#?}") };
    assert_eq!(key.rule, "private-key");
    assert_eq!(key.checks, ["ssh-host-private-key"]);
    assert!(key.place.disk_offset.is_some() && key.remedy.contains("ssh_host_"), "{key:#?}");
    assert_eq!(*state(&summary, "ssh-host-private-key"), CheckState::Finding { count: 1 });
    // Asked for the check alone, the check answers alone.
    let (findings, _) = scan("server-dirty", &["--only", "ssh-host-private-key"]);
    let rules: Vec<&str> = findings.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["ssh-host-private-key"]);
}

#[test]
fn checks_that_the_scan_answers_tell_files_from_remains() {
    let (_, dirty) = scan("server-dirty", &[]);
    for check in ["secret-scan-generic", "trash-deleted-but-unwiped", "initramfs-embedded-secrets"] {
        assert!(
            matches!(state(&dirty, check), CheckState::Finding { .. }),
            "{check}: {:?}",
            state(&dirty, check)
        );
    }
    let (findings, clean) = scan("server-clean", &[]);
    for check in ["secret-scan-generic", "trash-deleted-but-unwiped", "initramfs-embedded-secrets"] {
        assert_eq!(*state(&clean, check), CheckState::Clean, "{check} {findings:#?}");
    }
}

#[test]
fn linux_inside_of_windows_is_checked_as_a_system_of_its_own() {
    let (findings, summary) = scan("wsl", &[]);
    let has = |rule: &str, volume: &str, path: &str| {
        findings.iter().any(|one| {
            one.rule == rule && one.place.volume == volume && one.place.path.as_deref() == Some(path)
        })
    };
    let disk = "whole:/Users/bob/AppData/Local/wsl/1/ext4.vhdx!/whole";
    assert!(has("bash-history", disk, "/root/.bash_history"), "{findings:#?}");
    assert!(has("machine-id-not-reset", disk, "/etc/machine-id"), "{findings:#?}");
    let directory = "/Users/bob/AppData/Local/lxss/rootfs";
    assert!(has("bash-history", "whole", &format!("{directory}/root/.bash_history")), "{findings:#?}");
    assert!(matches!(state(&summary, "win-wsl-distro"), CheckState::Finding { .. }));
}

#[test]
fn the_profile_decides_which_checks_are_made() {
    let (_, release) = scan("server-clean", &[]);
    let (_, investigate) = scan("server-clean", &["--profile", "investigate"]);
    assert!(matches!(state(&release, "ir-package-file-modified"), CheckState::NotEvaluated { .. }));
    assert_eq!(*state(&investigate, "ir-package-file-modified"), CheckState::Clean);
}
