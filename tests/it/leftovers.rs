//! Leftovers: every check against a tree that has it and one that has not, and the walk itself.

mod damage;
mod memory;

use memory::Memory;
use residue::filesystem::{EntryId, FileSystem};
use residue::leftover::{Catalogue, CheckOutcome, CheckState, Leftover, Members, Profile, Source};
use residue::rules::Severity;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
    alice:x:1000:1000::/home/alice:/bin/bash\npostgres:x:110:110::/var/lib/postgresql:/bin/bash\n";

fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::builtin().unwrap())
}

fn source(volume: &str, filesystem: Memory) -> Source {
    let filesystem = Arc::new(filesystem) as Arc<dyn FileSystem>;
    Source { volume: volume.to_owned(), filesystem, members: Members::default() }
}

fn evaluate(sources: &[Source]) -> (Vec<Leftover>, Vec<CheckOutcome>) {
    catalogue().evaluate(sources)
}

fn state<'a>(outcomes: &'a [CheckOutcome], check: &str) -> &'a CheckState {
    &outcomes
        .iter()
        .find(|outcome| outcome.check == check)
        .unwrap_or_else(|| panic!("no check {check}"))
        .state
}

/// What stands at a path of a case.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Other(Other),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Other {
    Hex(String),
    Base64(String),
    Utf16(String),
    Link(String),
    Directory(serde::de::IgnoredAny),
    /// A file beside the cases, compressed with zstd.
    Fixture(String),
    /// So many zero bytes behind a text.
    Padded(String, usize),
    /// A file with this mode.
    Mode(String, u16),
    /// A file with these times: modified and changed, in seconds since 1970.
    Times(String, i64, i64),
}

/// A tree that has a leftover and one that has not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    check: String,
    severity: Option<Severity>,
    count: Option<u64>,
    finds: Option<BTreeMap<String, Content>>,
    clean: Option<BTreeMap<String, Content>>,
}

#[derive(Debug, Deserialize)]
struct Cases {
    case: Vec<Case>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/leftovers")
}

fn cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            toml::from_str::<Cases>(&text).unwrap_or_else(|error| panic!("{file:?}: {error}")).case
        })
        .collect()
}

/// The tree of a case, on top of the least that makes a system.
fn tree(files: &BTreeMap<String, Content>) -> Memory {
    let is_windows = files.keys().any(|path| path.starts_with("C:/"));
    let mut memory = Memory::new(if is_windows { "ntfs" } else { "ext4" }, "1");
    for (path, content) in files {
        let path = path.strip_prefix("C:").unwrap_or(path);
        match content {
            Content::Text(text) => memory.file(path, text.as_bytes()),
            Content::Other(Other::Hex(hex)) => {
                let hex: String = hex.split_whitespace().collect();
                memory.file(path, data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap())
            }
            Content::Other(Other::Base64(text)) => {
                memory.file(path, data_encoding::BASE64.decode(text.as_bytes()).unwrap())
            }
            Content::Other(Other::Utf16(text)) => {
                let units = text.encode_utf16().flat_map(u16::to_le_bytes);
                memory.file(path, [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>())
            }
            Content::Other(Other::Link(target)) => {
                memory.link(path, target);
                0
            }
            Content::Other(Other::Directory(_)) => memory.directory(path),
            Content::Other(Other::Fixture(name)) => memory.file(path, fixture(name)),
            Content::Other(Other::Mode(text, mode)) => {
                let id = memory.file(path, text.as_bytes());
                memory.chmod(path, *mode);
                id
            }
            Content::Other(Other::Times(text, modified, changed)) => {
                let id = memory.file(path, text.as_bytes());
                memory.touch(path, *modified, *changed);
                id
            }
            Content::Other(Other::Padded(text, zeros)) => {
                memory.file(path, [text.as_bytes(), &vec![0; *zeros]].concat())
            }
        };
    }
    if is_windows {
        memory.file("/Windows/System32/config/SYSTEM", fixture("hives/system-clean.zst"));
    } else {
        memory.file("/etc/passwd", PASSWD);
    }
    memory
}

fn fixture(name: &str) -> Vec<u8> {
    let packed = std::fs::read(folder().join(name)).unwrap();
    let mut out = Vec::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).unwrap();
    std::io::Read::read_to_end(&mut decoder, &mut out).unwrap();
    out
}

#[test]
fn every_check_finds_what_it_should_and_is_silent_otherwise() {
    let mut wrong = Vec::new();
    for case in cases() {
        let check = catalogue().checks().iter().find(|check| check.id == case.check);
        let Some(check) = check else { panic!("no check {}", case.check) };
        if let Some(files) = &case.finds {
            let (leftovers, outcomes) = evaluate(&[source("p1", tree(files))]);
            let own: Vec<&Leftover> = leftovers.iter().filter(|one| one.check == case.check).collect();
            let severity = case.severity.unwrap_or(check.severity);
            let count = case.count.unwrap_or(own.len() as u64);
            let is_right = *state(&outcomes, &case.check) == CheckState::Finding { count }
                && own.iter().map(|one| one.severity).max() == Some(severity);
            if !is_right {
                wrong.push(format!(
                    "{} should be {severity:?}: {own:#?} {:?} {files:?}",
                    case.check,
                    state(&outcomes, &case.check)
                ));
            }
        }
        if let Some(files) = &case.clean {
            let (leftovers, outcomes) = evaluate(&[source("p1", tree(files))]);
            if *state(&outcomes, &case.check) != CheckState::Clean {
                let own: Vec<&Leftover> = leftovers.iter().filter(|one| one.check == case.check).collect();
                wrong.push(format!(
                    "{} should be clean: {own:#?} {:?} {files:?}",
                    case.check,
                    state(&outcomes, &case.check)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_check_has_a_positive_and_a_negative_case() {
    // What a case cannot say has tests of its own: a volume without a system, what the decoders met, and the
    // checks that the findings of a scan answer.
    let elsewhere = [
        "data-volume-not-empty",
        "initramfs-embedded-secrets",
        "secret-scan-generic",
        "trash-deleted-but-unwiped",
    ];
    let cases = cases();
    let missing: Vec<&str> = catalogue()
        .checks()
        .iter()
        .map(|check| check.id.as_str())
        .filter(|id| !elsewhere.contains(id))
        .filter(|id| {
            let own = || cases.iter().filter(|case| case.check == *id);
            !own().any(|case| case.finds.is_some()) || !own().any(|case| case.clean.is_some())
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_evidence_shows_the_secret() {
    for case in cases() {
        let Some(files) = &case.finds else { continue };
        let (leftovers, _) = evaluate(&[source("p1", tree(files))]);
        for leftover in leftovers {
            let Some(secret) = &leftover.secret else { continue };
            let secret = String::from_utf8_lossy(secret).into_owned();
            let told = leftover.evidence.iter().chain([&leftover.title, &leftover.remedy]);
            for text in told {
                assert!(secret.len() < 4 || !text.contains(&secret), "{}: {text}", leftover.check);
            }
        }
    }
}

#[test]
fn an_unreadable_place_is_never_clean() {
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", PASSWD);
    memory.file("/etc/shadow", "root:!:1::::::\n");
    memory.file("/home/alice/.bash_history", "ls\n");
    memory.file("/var/log/x", "");
    for path in ["/etc/shadow", "/home/alice", "/var/log"] {
        memory.damage(path);
    }
    let (leftovers, outcomes) = evaluate(&[source("p1", memory)]);
    assert!(leftovers.iter().all(|one| one.check != "bash-history"));
    for check in ["shadow-password-hash", "shadow-empty-password", "bash-history", "var-log-nonempty"] {
        let state = state(&outcomes, check);
        assert!(matches!(state, CheckState::NotEvaluated { .. }) && state.is_gap(), "{check}: {state:?}");
    }
    assert_eq!(*state(&outcomes, "machine-id-not-reset"), CheckState::Clean);
}

#[test]
fn a_check_for_a_system_that_is_not_there_does_not_apply() {
    let mut linux = Memory::new("ext4", "1");
    linux.file("/etc/passwd", PASSWD);
    let (_, outcomes) = evaluate(&[source("p1", linux)]);
    let sysprep = state(&outcomes, "win-sysprep-not-generalized");
    assert!(matches!(sysprep, CheckState::NotEvaluated { .. }) && !sysprep.is_gap(), "{sysprep:?}");
    let (_, outcomes) = evaluate(&[]);
    assert!(outcomes.iter().all(|one| matches!(one.state, CheckState::NotEvaluated { .. })));
}

#[test]
fn a_home_on_its_own_volume_is_found_by_fstab_or_by_its_look() {
    let home = || {
        let mut home = Memory::new("ext4", "AB-CD");
        home.file("/alice/.bash_history", "ls\n");
        home.file("/gone/.ssh/authorized_keys", "");
        home.file("/gone/.zsh_history", "ls\n");
        home
    };
    let root = |fstab: &str| {
        let mut root = Memory::new("ext4", "1");
        root.file("/etc/passwd", PASSWD);
        root.file("/etc/fstab", fstab);
        root.directory("/home");
        root
    };
    let cases = [
        vec![source("p1", root("UUID=ab-cd /home ext4 defaults 0 2\n")), source("p2", home())],
        vec![source("p1", root("/dev/sda2 /home ext4 defaults 0 2\n")), source("p2", home())],
        vec![source("p2", home()), source("p1", root("UUID=ab-cd /home ext4 defaults 0 2\n"))],
    ];
    for sources in cases {
        let (leftovers, _) = evaluate(&sources);
        let found: BTreeSet<(&str, &str, &str)> = leftovers
            .iter()
            .map(|one| {
                let path = std::str::from_utf8(&one.path).unwrap();
                (one.check.as_str(), sources[one.source].volume.as_str(), path)
            })
            .collect();
        assert!(found.contains(&("bash-history", "p2", "/alice/.bash_history")), "{found:?}");
        assert!(found.contains(&("zsh-history", "p2", "/gone/.zsh_history")), "{found:?}");
    }
    let (_, outcomes) = evaluate(&[source("p1", root("UUID=ab-cd /home ext4 defaults 0 2\n"))]);
    let state = state(&outcomes, "bash-history");
    assert!(state.is_gap(), "{state:?}");
}

#[test]
fn links_resolve_inside_the_image_and_loops_end() {
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", PASSWD);
    memory.link("/home", "/data/homes");
    memory.file("/data/homes/alice/.bash_history", "ls\n");
    memory.chown("/data/homes/alice/.bash_history", 1000);
    memory.link("/root/.bash_history", "/dev/null");
    memory.device("/dev/null");
    memory.link("/root/.zsh_history", "loop");
    memory.link("/root/loop", ".zsh_history");
    memory.link("/root/.mysql_history", "../../../../../srv/sql");
    memory.file("/srv/sql", "select 1\n");
    let (leftovers, outcomes) = evaluate(&[source("p1", memory)]);
    let found: Vec<(&str, &[u8])> = leftovers
        .iter()
        .filter(|one| one.check.ends_with("-history"))
        .map(|one| (one.check.as_str(), one.path.as_slice()))
        .collect();
    assert_eq!(
        found,
        [("bash-history", &b"/data/homes/alice/.bash_history"[..]), ("mysql-history", b"/srv/sql")]
    );
    assert!(state(&outcomes, "zsh-history").is_gap());
    let bash = leftovers.iter().find(|one| one.check == "bash-history").unwrap();
    assert!(bash.evidence.contains(&"owner: alice (uid 1000)".to_owned()), "{:?}", bash.evidence);
}

#[test]
fn directories_that_contain_themselves_end() {
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", PASSWD);
    let log = memory.directory("/var/log");
    memory.file("/var/log/syslog", "x\n");
    memory.hard_link("/var/log/again", log);
    memory.hard_link("/var/log/deeper/still", log);
    memory.link("/var/log/linked", "/var/log");
    let (leftovers, _) = evaluate(&[source("p1", memory)]);
    let sum = leftovers.iter().find(|one| one.check == "var-log-nonempty").unwrap();
    assert_eq!(sum.path, b"/var/log");
    assert!(sum.evidence.contains(&"entries: 1".to_owned()), "{:?}", sum.evidence);
}

#[test]
fn systems_inside_of_the_system_are_checked_too() {
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", PASSWD);
    let layer = "/var/lib/docker/overlay2/abc/diff";
    memory
        .file(&format!("{layer}/etc/passwd"), "root:x:0:0::/root:/bin/sh\nx:x:1001:1001::/home/x:/bin/sh\n");
    memory.file(&format!("{layer}/root/.bash_history"), "ls\n");
    let (leftovers, _) = evaluate(&[source("p1", memory)]);
    let path = format!("{layer}/root/.bash_history").into_bytes();
    assert!(leftovers.iter().any(|one| one.check == "bash-history" && one.path == path));
}

#[test]
fn findings_do_not_depend_on_case_on_windows() {
    let mut memory = Memory::new("ntfs", "1");
    memory.file("/WINDOWS/system32/CONFIG/System", "regf");
    memory.file(
        "/users/Bob/appdata/roaming/Microsoft/WINDOWS/PowerShell/psreadline/ConsoleHost_history.TXT",
        "dir\n",
    );
    let (leftovers, _) = evaluate(&[source("p1", memory)]);
    assert!(leftovers.iter().any(|one| one.check == "powershell-psreadline-history"));
}

#[test]
fn a_volume_of_data_is_a_leftover_and_a_boot_volume_is_not() {
    let root = || {
        let mut root = Memory::new("ext4", "1");
        root.file("/etc/passwd", PASSWD);
        root
    };
    let volume = |path: &str| {
        let mut volume = Memory::new("ext4", "2");
        volume.directory("/lost+found");
        volume.file(path, "x");
        volume
    };
    let cases = [("/customers/a.csv", true), ("/vmlinuz-6.1", false), ("/lost+found/x", false)];
    for (path, is_data) in cases {
        let (leftovers, outcomes) = evaluate(&[source("p1", root()), source("p2", volume(path))]);
        let found = leftovers.iter().filter(|one| one.check == "data-volume-not-empty");
        assert_eq!(
            found.map(|one| one.source).collect::<Vec<_>>(),
            if is_data { vec![1] } else { vec![] },
            "{path}"
        );
        let state = state(&outcomes, "data-volume-not-empty");
        assert_eq!(*state == CheckState::Clean, !is_data, "{path}: {state:?}");
    }
}

#[test]
fn profiles_outside_of_users_come_from_the_registry() {
    let mut memory = Memory::new("ntfs", "1");
    memory.file("/Windows/System32/config/SYSTEM", fixture("hives/system-clean.zst"));
    memory.file("/Windows/System32/config/SOFTWARE", fixture("hives/software-dirty.zst"));
    memory.file("/profiles/Carol/.ssh/id_rsa", fixture("rsa-pkcs1.zst"));
    let (leftovers, _) = evaluate(&[source("p1", memory)]);
    assert!(
        leftovers
            .iter()
            .any(|one| one.check == "ssh-user-private-key" && one.path == b"/profiles/Carol/.ssh/id_rsa")
    );
}

#[test]
fn the_documentation_is_that_of_the_catalogue() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let made = catalogue().to_markdown();
    if std::env::var_os("RESIDUE_WRITE_DOCS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let is_equal = std::fs::read_to_string(&file).unwrap_or_default() == made;
    assert!(is_equal, "docs/checks.md differs; write it with RESIDUE_WRITE_DOCS=1 cargo test leftovers");
}

#[test]
fn checks_say_what_they_answer_and_how_to_clean_up() {
    for check in catalogue().checks() {
        for (name, text) in
            [("title", &check.title), ("item", &check.item), ("risk", &check.risk), ("remedy", &check.remedy)]
        {
            assert!(!text.trim().is_empty(), "{}: no {name}", check.id);
        }
        assert!(!check.sources.is_empty(), "{}: no source", check.id);
    }
    assert_eq!(catalogue().digest().len(), 32);
    catalogue().prepare().unwrap();
}

#[test]
fn keys_inside_of_an_initial_ram_disk_are_those_that_the_decoders_met() {
    let system = |note: &dyn Fn(&mut Members, EntryId)| {
        let mut memory = Memory::new("ext4", "1");
        memory.file("/etc/passwd", PASSWD);
        let id = memory.file("/boot/initrd.img-6.1", "070701");
        let mut source = source("p1", memory);
        note(&mut source.members, EntryId(id));
        let (leftovers, outcomes) = evaluate(&[source]);
        let count = leftovers.iter().filter(|one| one.check == "initramfs-embedded-secrets").count();
        (count, state(&outcomes, "initramfs-embedded-secrets").clone())
    };
    let (count, found) = system(&|members, id| {
        members.note(id, "main/root/.ssh/authorized_keys");
        members.note(id, "main/etc/dropbear/dropbear_rsa_host_key");
    });
    assert_eq!((count, found), (2, CheckState::Finding { count: 2 }));
    assert_eq!(system(&|members, id| members.decoded(id)).1, CheckState::Clean);
    // Not decoded, or not to its end: nobody knows.
    assert!(system(&|_, _| ()).1.is_gap());
    assert!(system(&|members, id| members.cut(id, "budget of time used up")).1.is_gap());
}

#[test]
fn checks_of_an_investigation_stay_out_of_a_release() {
    let release = Catalogue::of(Profile::Release).unwrap();
    let mut memory = Memory::new("ext4", "1");
    memory.file("/etc/passwd", PASSWD);
    memory.link("/root/.bash_history", "/dev/null");
    memory.device("/dev/null");
    let sources = [source("p1", memory)];
    let (leftovers, outcomes) = release.evaluate(&sources);
    assert!(leftovers.iter().all(|one| one.check != "ir-history-tampering"));
    for check in release.checks().iter().filter(|check| check.investigate) {
        let state = state(&outcomes, &check.id);
        assert!(
            matches!(state, CheckState::NotEvaluated { .. }) && !state.is_gap(),
            "{}: {state:?}",
            check.id
        );
    }
    let (leftovers, _) = evaluate(&sources);
    assert!(leftovers.iter().any(|one| one.check == "ir-history-tampering"));
}

/// The items of the founding list, and what stands beside it: identity of the machine and readiness.
const ITEMS: [&str; 11] = [
    "users and passwords",
    "SSH keys",
    "shell history",
    "temporary files and logs",
    "hard-coded credentials",
    "business data and caches",
    "Sysprep",
    "Sysprep and Windows clean-up",
    "Credential Manager",
    "instance identity",
    "image readiness",
];

#[test]
fn every_check_names_its_item_of_the_founding_list_and_every_item_has_checks() {
    let items: BTreeSet<&str> = catalogue().checks().iter().map(|check| check.item.as_str()).collect();
    assert_eq!(items, BTreeSet::from(ITEMS));
}

#[test]
fn a_password_that_stands_only_in_the_log_of_a_hive_is_found() {
    // The hive was cut off before the password was written into it; the log beside it has the page.
    let hive = |log: bool| {
        let mut memory = Memory::new("ntfs", "1");
        memory.file("/Windows/System32/config/SYSTEM", fixture("hives/system-clean.zst"));
        memory.file("/Windows/System32/config/SOFTWARE", fixture("hives/software-torn.zst"));
        if log {
            memory.file("/Windows/System32/config/SOFTWARE.LOG1", fixture("hives/software-torn-log1.zst"));
            memory.file("/Windows/System32/config/SOFTWARE.LOG2", "");
        }
        let (_, outcomes) = evaluate(&[source("p1", memory)]);
        state(&outcomes, "win-autologon-password").clone()
    };
    assert!(matches!(hive(true), CheckState::Finding { .. }), "{:?}", hive(true));
    assert!(hive(false).is_gap());
}
