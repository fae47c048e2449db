//! Commands of shell histories that carry a time: bash with `HISTTIMEFORMAT`, tcsh, zsh's extended format, fish.
//!
//! A command line may hold a secret in any place, also where no rule knows it. What is shown of it is made of
//! words that cannot be one: programs that the system has, common verbs, names of options.

use super::files::Files;
use super::keys::homes;
use super::{Command, Origin, Traces};
use crate::leftover::lines::lines;
use crate::leftover::survey::Site;
use crate::leftover::tree::join;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Words of a command that are looked at.
const WORDS_MAX: usize = 12;
/// Names of programs of a system that are kept.
const PROGRAMS_MAX: usize = 50_000;
/// Where programs lie.
const PROGRAM_DIRECTORIES: [&[u8]; 6] =
    [b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/usr/local/sbin"];
/// Commands that shells have themselves, and common ones that may be gone from the disk.
const COMMON: &[&str] = &[
    "alias",
    "apt",
    "apt-get",
    "bash",
    "bg",
    "cat",
    "cd",
    "chmod",
    "chown",
    "cp",
    "curl",
    "docker",
    "echo",
    "env",
    "exec",
    "exit",
    "export",
    "fg",
    "git",
    "history",
    "jobs",
    "kill",
    "kubectl",
    "logout",
    "ls",
    "mkdir",
    "mv",
    "mysql",
    "nano",
    "passwd",
    "popd",
    "ps",
    "psql",
    "pushd",
    "pwd",
    "read",
    "rm",
    "scp",
    "set",
    "sh",
    "shred",
    "source",
    "ssh",
    "su",
    "sudo",
    "systemctl",
    "tail",
    "tar",
    "test",
    "time",
    "trap",
    "type",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "vi",
    "vim",
    "wait",
    "wget",
    "which",
    "yum",
    "zsh",
];
/// Programs behind which another program is named.
const BEFORE_PROGRAMS: &[&str] =
    &["sudo", "doas", "env", "nohup", "time", "nice", "exec", "command", "xargs", "watch", "timeout"];
/// Second words that say what a program is to do.
const VERBS: &[&str] = &[
    "add", "apply", "attach", "branch", "build", "checkout", "clean", "clone", "commit", "config", "cp",
    "create", "delete", "describe", "diff", "disable", "down", "enable", "exec", "export", "fetch", "get",
    "images", "import", "info", "init", "inspect", "install", "list", "log", "login", "logout", "logs", "ls",
    "merge", "mount", "patch", "ps", "pull", "purge", "push", "rebase", "reload", "remove", "reset",
    "restart", "rm", "rollout", "run", "scale", "search", "set", "show", "start", "status", "stop", "tag",
    "umount", "unmount", "up", "update", "upgrade",
];
/// Words between two commands.
const SEPARATORS: &[&str] = &["|", "||", "&&", ";", "&"];

/// A command with its time and line.
type Entry<'a> = (Timestamp, u64, &'a [u8]);

/// Reads the histories of a site.
pub(super) fn gather(site: &Site<'_>, files: &mut Files<'_, '_>, out: &mut Traces) {
    let mut programs: Option<BTreeSet<String>> = None;
    for home in homes(site, files) {
        let path = |name: &str| join(&home.path, name.as_bytes());
        let ends = |end: &'static [u8]| move |name: &[u8]| name.ends_with(end);
        let mut texts = Vec::new();
        for (name, shell) in [
            (".bash_history", "bash"),
            (".history", "tcsh"),
            (".zsh_history", "zsh"),
            (".zhistory", "zsh"),
            (".histfile", "zsh"),
        ] {
            texts.extend(files.read(&path(name)).map(|text| (text, shell)));
        }
        for (name, shell, end) in [
            (".bash_sessions", "bash", b"".as_slice()),
            (".zsh_sessions", "zsh", b""),
            (".local/share/fish", "fish", b"_history"),
        ] {
            texts.extend(files.within(&path(name), ends(end)).into_iter().map(|text| (text, shell)));
        }
        for (text, shell) in texts {
            let entries = match shell {
                "zsh" => zsh(&text.bytes),
                "fish" => fish(&text.bytes),
                _ => stamped(&text.bytes),
            };
            if entries.is_empty() {
                continue;
            }
            let known = programs.get_or_insert_with(|| names(files));
            out.commands.extend(entries.into_iter().map(|(time, line, bytes)| Command {
                origin: Origin { line: Some(line), ..text.origin.clone() },
                shell,
                account: home.accounts.first().cloned(),
                time,
                masked: masked(bytes, known),
                line: bytes.to_vec(),
            }));
        }
    }
}

/// Names of the programs of a system.
fn names(files: &mut Files<'_, '_>) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = COMMON.iter().map(|&name| name.to_owned()).collect();
    for directory in PROGRAM_DIRECTORIES {
        let names = files.names(directory).into_iter().filter_map(|(name, _)| String::from_utf8(name).ok());
        out.extend(names.take(PROGRAMS_MAX.saturating_sub(out.len())));
    }
    out
}

fn time(digits: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_time = (9..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_time { Timestamp::from_second(text.parse().ok()?).ok() } else { None }
}

/// A line of `#` (bash) or `#+` (tcsh) and seconds gives the time of the command behind it.
fn stamped(content: &[u8]) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut pending = None;
    for line in lines(content) {
        let digits = line.bytes.strip_prefix(b"#").map(|rest| rest.strip_prefix(b"+").unwrap_or(rest));
        match (digits.and_then(time), pending.take()) {
            (Some(time), _) => pending = Some(time),
            (None, Some(time)) => out.push((time, line.number, line.bytes)),
            // A further line of the same command, or a command without a time.
            (None, None) => {}
        }
    }
    out
}

/// `: start:elapsed;command`; a backslash at the end continues.
fn zsh(content: &[u8]) -> Vec<Entry<'_>> {
    let entry = |bytes: &'_ [u8]| -> Option<(Timestamp, usize)> {
        let rest = bytes.strip_prefix(b": ")?;
        let colon = rest.iter().position(|&byte| byte == b':')?;
        let semicolon = rest.iter().position(|&byte| byte == b';')?;
        Some((time(rest.get(..colon)?)?, semicolon.checked_add(3)?))
    };
    lines(content)
        .filter_map(|line| {
            let (time, at) = entry(line.bytes)?;
            Some((time, line.number, line.bytes.get(at..)?))
        })
        .collect()
}

/// `- cmd: command` and, below it, `when: seconds`.
fn fish(content: &[u8]) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut pending = None;
    for line in lines(content) {
        if let Some(command) = line.bytes.strip_prefix(b"- cmd: ") {
            pending = Some((line.number, command));
        } else if let Some(time) = line.bytes.strip_prefix(b"  when: ").and_then(time)
            && let Some((number, command)) = pending.take()
        {
            out.push((time, number, command));
        }
    }
    out
}

/// The command without what could be a secret.
fn masked(line: &[u8], programs: &BTreeSet<String>) -> String {
    let text = String::from_utf8_lossy(line);
    let mut out: Vec<String> = Vec::new();
    let hide = |out: &mut Vec<String>| {
        if out.last().is_none_or(|last| last != "…") {
            out.push("…".to_owned());
        }
    };
    let (mut expects_program, mut expects_verb) = (true, false);
    let mut words = text.split_whitespace();
    for word in words.by_ref().take(WORDS_MAX) {
        if SEPARATORS.contains(&word) {
            out.push(word.to_owned());
            (expects_program, expects_verb) = (true, false);
            continue;
        }
        if let Some(option) = option(word) {
            out.push(option);
            continue;
        }
        let verb = std::mem::take(&mut expects_verb);
        let is_setting = expects_program && word.contains('=');
        if expects_program && !is_setting {
            let name = word.rsplit('/').next().unwrap_or(word);
            expects_program = BEFORE_PROGRAMS.contains(&name);
            expects_verb = !expects_program;
            if programs.contains(name) {
                out.push(crate::location::escape(name.as_bytes()));
                continue;
            }
            expects_program = false;
        } else if verb && VERBS.contains(&word) {
            out.push(word.to_owned());
            continue;
        }
        hide(&mut out);
    }
    if words.next().is_some() {
        hide(&mut out);
    }
    out.join(" ")
}

/// The name of an option; its value is hidden. `None` for other words.
fn option(word: &str) -> Option<String> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        let is_name = (2..=30).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        return is_name.then(|| if value { format!("--{name}=…") } else { format!("--{name}") });
    }
    let rest = word.strip_prefix('-')?;
    let first = rest.chars().next().filter(char::is_ascii_alphanumeric)?;
    Some(if rest.len() == 1 { format!("-{first}") } else { format!("-{first}…") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(entries: &[Entry<'_>]) -> Vec<(i64, u64, String)> {
        let shown =
            |entry: &Entry<'_>| (entry.0.as_second(), entry.1, String::from_utf8_lossy(entry.2).into_owned());
        entries.iter().map(shown).collect()
    }

    #[test]
    fn each_format_gives_its_commands_with_their_times() {
        let bash = b"#1700000000\nls -l\nno time\n#1700000100\n#1700000200\ncd x\n";
        let expected = [(1_700_000_000, 2, "ls -l".to_owned()), (1_700_000_200, 6, "cd x".to_owned())];
        assert_eq!(times(&stamped(bash)), expected);
        assert_eq!(times(&stamped(b"#+1700000000\nls\n")), [(1_700_000_000, 2, "ls".to_owned())]);
        let extended = b": 1700000000:0;make; echo x\nplain\n: 1700000001:12;a\\\nb\n";
        let expected = [(1_700_000_000, 1, "make; echo x".to_owned()), (1_700_000_001, 3, "a\\".to_owned())];
        assert_eq!(times(&zsh(extended)), expected);
        let fishy = b"- cmd: git push\n  when: 1700000000\n  paths:\n    - x\n- cmd: ls\n";
        assert_eq!(times(&fish(fishy)), [(1_700_000_000, 1, "git push".to_owned())]);
    }

    #[test]
    fn a_masked_command_has_programs_verbs_and_options_only() {
        let programs: BTreeSet<String> = COMMON.iter().map(|&name| name.to_owned()).collect();
        let cases = [
            ("sudo systemctl restart app", "sudo systemctl restart …"),
            ("mysql -h db -u shop -pv9Kd-Trombone shop", "mysql -h … -u … -p… …"),
            ("hunter2", "…"),
            ("TOKEN=abc curl --header=X --data s3cret | sh", "… curl --header=… --data … | sh"),
            ("/usr/bin/git commit -m geheim", "git commit -m …"),
            ("login correct horse", "…"),
            ("echo --hunter2 -x", "echo … -x"),
        ];
        for (line, expected) in cases {
            assert_eq!(masked(line.as_bytes(), &programs), expected, "{line}");
        }
    }
}
