//! What is known of an operating system before its tree is walked: users, homes, profiles.

use super::hive_log;
use super::lines::lines;
use super::tree::{Tree, join};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::format::hive::Hive;
use std::collections::BTreeSet;

/// Bytes of `/etc/passwd` and its like that are read.
const TABLE_MAX: u64 = 4 << 20;
/// Homes that are looked into.
const HOMES_MAX: usize = 10_000;

/// What sort of system it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    /// Linux and its like.
    Linux,
    /// Windows.
    Windows,
}

impl Os {
    /// Name for reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Login name.
    pub(crate) name: Vec<u8>,
    /// User id, where it is a number.
    pub(crate) uid: Option<u32>,
    /// Home directory.
    pub(crate) home: Vec<u8>,
    /// Login shell; empty stands for `/bin/sh`.
    pub(crate) shell: Vec<u8>,
}

impl User {
    /// Whether the shell lets someone in.
    pub(crate) fn can_log_in(&self) -> bool {
        let name = self.shell.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        !matches!(name, b"nologin" | b"false" | b"sync" | b"halt" | b"shutdown" | b"true" | b"git-shell")
    }
}

/// A home directory or profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// Seen path.
    pub(crate) path: Vec<u8>,
    /// Whose it is; `None` when no user table names it.
    pub(crate) user: Option<Vec<u8>>,
    /// Whether it is the administrator's own.
    pub(crate) is_root: bool,
    /// Whether a person uses it, not a service.
    pub(crate) is_person: bool,
}

/// A system.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// Sort; `None` for a volume of data.
    pub(crate) os: Option<Os>,
    /// Users of `/etc/passwd`.
    pub(crate) users: Vec<User>,
    /// Homes or profiles, sorted by path.
    pub(crate) homes: Vec<Home>,
    /// User ids of people, from `/etc/login.defs`.
    pub(crate) people: std::ops::RangeInclusive<u32>,
    /// What could not be read on the way here.
    pub(crate) problem: Option<String>,
}

impl System {
    /// A volume of data.
    pub(crate) fn data() -> Self {
        Self { os: None, users: Vec::new(), homes: Vec::new(), people: 1000..=60_000, problem: None }
    }

    /// A Linux system: users from `/etc/passwd`, homes from there and from `/home`.
    pub(crate) fn linux(tree: &Tree<'_>) -> Self {
        let mut system = Self { os: Some(Os::Linux), ..Self::data() };
        match tree.read(b"/etc/passwd", TABLE_MAX) {
            Ok(Some(table)) => system.users = users(&table),
            Ok(None) => {}
            Err(error) => system.problem = Some(format!("/etc/passwd: {error}")),
        }
        if let Ok(Some(defs)) = tree.read(b"/etc/login.defs", TABLE_MAX) {
            system.people = people(&defs);
        }
        let found = linux_homes(tree, &system);
        system.take_homes(found);
        system
    }

    /// A Windows system: profiles from `C:\Users` and those of the system's own accounts.
    pub(crate) fn windows(tree: &Tree<'_>) -> Self {
        let mut system = Self { os: Some(Os::Windows), ..Self::data() };
        let listed = profile_list(tree);
        let found = windows_profiles(tree, listed.as_deref().unwrap_or_default());
        system.take_homes(found);
        if let Err(error) = listed {
            system.problem = Some(format!("list of profiles in the registry: {error}"));
        }
        system
    }

    fn take_homes(&mut self, found: Result<Vec<Home>>) {
        match found {
            Ok(homes) => self.homes = homes,
            Err(error) => self.problem = Some(format!("homes: {error}")),
        }
        self.homes.sort_by(|one, other| one.path.cmp(&other.path));
        self.homes.dedup_by(|one, other| one.path == other.path);
        self.homes.truncate(HOMES_MAX);
    }

    /// Name of the user with this id.
    pub(crate) fn user_name(&self, uid: u32) -> Option<&[u8]> {
        self.users.iter().find(|user| user.uid == Some(uid)).map(|user| user.name.as_slice())
    }

    /// The user of this name.
    pub(crate) fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }
}

/// Parses `/etc/passwd`; lines without seven fields are left out.
pub(crate) fn users(table: &[u8]) -> Vec<User> {
    lines(table)
        .filter_map(|line| {
            let fields: Vec<&[u8]> = line.bytes.split(|&byte| byte == b':').collect();
            let [name, _, uid, _, _, home, shell] = fields.as_slice() else { return None };
            if name.is_empty() || name.starts_with(b"#") {
                return None;
            }
            Some(User { name: name.to_vec(), uid: number(uid), home: home.to_vec(), shell: shell.to_vec() })
        })
        .collect()
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// `UID_MIN` and `UID_MAX`, by default 1000 to 60000.
fn people(defs: &[u8]) -> std::ops::RangeInclusive<u32> {
    let value = |key: &[u8]| {
        lines(defs).find_map(|line| {
            let rest = line.bytes.trim_ascii_start().strip_prefix(key)?;
            rest.first().filter(|byte| byte.is_ascii_whitespace())?;
            number(rest.trim_ascii())
        })
    };
    value(b"UID_MIN").unwrap_or(1000)..=value(b"UID_MAX").unwrap_or(60_000)
}

fn linux_homes(tree: &Tree<'_>, system: &System) -> Result<Vec<Home>> {
    let mut homes: Vec<Home> = Vec::new();
    for user in &system.users {
        let path = normal(&user.home);
        if !path.starts_with(b"/") || matches!(path.as_slice(), b"/nonexistent" | b"/dev/null") {
            continue;
        }
        homes.push(Home {
            is_root: user.uid == Some(0),
            is_person: user.uid.is_some_and(|uid| uid == 0 || system.people.contains(&uid)),
            user: Some(user.name.clone()),
            path,
        });
    }
    homes.sort_by_key(|home| !home.is_person);
    let known: BTreeSet<Vec<u8>> = homes.iter().map(|home| home.path.clone()).collect();
    if !known.contains(b"/root".as_slice()) {
        homes.push(Home { path: b"/root".to_vec(), user: None, is_root: true, is_person: true });
    }
    homes.push(Home { path: b"/etc/skel".to_vec(), user: None, is_root: false, is_person: false });
    for name in directories(tree, b"/home")? {
        let path = join(b"/home", &name);
        if !known.contains(&path) && name != b"lost+found" {
            homes.push(Home { path, user: None, is_root: false, is_person: true });
        }
    }
    homes.sort_by(|one, other| (&one.path, !one.is_person).cmp(&(&other.path, !other.is_person)));
    Ok(homes)
}

fn windows_profiles(tree: &Tree<'_>, listed: &[Vec<u8>]) -> Result<Vec<Home>> {
    let mut homes = Vec::new();
    for name in directories(tree, b"/Users")? {
        let lower = String::from_utf8_lossy(&name).to_lowercase();
        if matches!(lower.as_str(), "public" | "default" | "default user" | "all users") {
            continue;
        }
        let is_root = lower == "administrator";
        homes.push(Home { path: join(b"/Users", &name), user: Some(name), is_root, is_person: true });
    }
    let services: [&[u8]; 4] = [
        b"/Windows/System32/config/systemprofile",
        b"/Windows/SysWOW64/config/systemprofile",
        b"/Windows/ServiceProfiles/LocalService",
        b"/Windows/ServiceProfiles/NetworkService",
    ];
    for path in listed {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
        let is_known = homes.iter().any(|home: &Home| home.path.eq_ignore_ascii_case(path));
        let is_service = services.iter().any(|service| service.eq_ignore_ascii_case(path));
        if !is_known && !is_service {
            let is_root = name.eq_ignore_ascii_case(b"administrator");
            homes.push(Home { path: path.clone(), user: Some(name), is_root, is_person: true });
        }
    }
    for path in services {
        homes.push(Home { path: path.to_vec(), user: None, is_root: false, is_person: false });
    }
    Ok(homes)
}

/// Profile directories that the registry names, as paths of the system volume.
fn profile_list(tree: &Tree<'_>) -> Result<Vec<Vec<u8>>> {
    let path = b"/Windows/System32/config/SOFTWARE";
    let Some(spot) = tree.resolve(path)? else { return Ok(Vec::new()) };
    let entry = tree.entry(spot.node)?;
    if entry.size() < 4096 {
        return Ok(Vec::new());
    }
    let content = hive_log::open(tree, spot.node, &entry, path)?;
    let hive = Hive::open(content.as_ref())?;
    let Some(list) = hive.find("Microsoft/Windows NT/CurrentVersion/ProfileList")? else {
        return Ok(Vec::new());
    };
    let mut paths = Vec::new();
    for key in hive.subkeys(&list)? {
        let value = hive.value_of(&key, "ProfileImagePath")?;
        paths.extend(value.and_then(|value| on_system_volume(&value.text())));
    }
    Ok(paths)
}

/// `C:\Users\x` or `%SystemDrive%\Users\x` as `/Users/x`; other drives are other volumes.
fn on_system_volume(path: &str) -> Option<Vec<u8>> {
    let lower = path.to_ascii_lowercase();
    let front = ["c:", "%systemdrive%"].into_iter().find(|front| lower.starts_with(front))?;
    let rest = path.get(front.len()..)?.replace('\\', "/");
    rest.starts_with('/').then(|| normal(rest.as_bytes()))
}

/// Names of the directories in a seen directory, sorted; none where it does not exist.
fn directories(tree: &Tree<'_>, path: &[u8]) -> Result<Vec<Vec<u8>>> {
    let Some(spot) = tree.resolve(path)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    let mut places = vec![spot.node];
    places.extend(tree.mounted(spot.node).map(|mounted| mounted.node));
    for place in places {
        tree.list(place, &mut |entry| {
            if names.len() < HOMES_MAX && matches!(entry.kind, EntryKind::Directory | EntryKind::Unknown) {
                names.push(entry.name);
            }
        })?;
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The path without `.`, empty components and a `/` at its end.
fn normal(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut out = Vec::new();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() { b"/".to_vec() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_lines_with_seven_fields_are_users() {
        let found = users(b"root:x:0:0:root:/root:/bin/bash\n# no\nbroken:x\n+::::::\nsvc:x:99:99::/srv/:\n");
        assert_eq!(found.len(), 3);
        assert!(found[0].can_log_in() && found[2].can_log_in());
        assert_eq!(normal(&found[2].home), b"/srv");
        assert_eq!(people(b"#UID_MIN 5\nUID_MIN\t\t500\nUID_MAX 999\n"), 500..=999);
    }
}
