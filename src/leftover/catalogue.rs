//! The checks as data: what the TOML files in `signatures/leftovers` say.

use super::Profile;
use super::conditions::{self, Condition};
use super::glob::{self, Anchor, Pattern, Wild};
use super::system::Os;
use super::trie::Trie;
use crate::error::{Error, Kind, Result};
use crate::rules::Severity;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A file of checks: name of the group, content.
pub(crate) type File = (&'static str, &'static str);

/// All files that come with the program, in the order of the documentation.
pub(crate) const FILES: &[File] = &[
    ("Credentials and keys", include_str!("../../signatures/leftovers/credentials.toml")),
    ("Users, passwords and privileges", include_str!("../../signatures/leftovers/users.toml")),
    ("Histories and editors", include_str!("../../signatures/leftovers/histories.toml")),
    ("Cloud agents and instance identity", include_str!("../../signatures/leftovers/cloud.toml")),
    ("Logs and journals", include_str!("../../signatures/leftovers/logs.toml")),
    ("Temporary files and caches", include_str!("../../signatures/leftovers/temporary.toml")),
    ("Business data, code and backups", include_str!("../../signatures/leftovers/business.toml")),
    ("Browsers and desktop programs", include_str!("../../signatures/leftovers/desktop.toml")),
    ("Containers and Kubernetes", include_str!("../../signatures/leftovers/containers.toml")),
    ("Windows", include_str!("../../signatures/leftovers/windows.toml")),
    ("Readiness and investigation", include_str!("../../signatures/leftovers/readiness.toml")),
];

/// Condition of checks that the scan itself answers: `with.within` says by which findings.
const SCAN: &str = "scan";

/// Why a check of the other profile is not evaluated.
const INVESTIGATE: &str = "not applicable: only with --profile investigate";
/// Why a check that the scan answers is not evaluated where nobody scans.
const ELSEWHERE: &str = "the findings of a scan answer it, and none was made";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    check: Vec<RawCheck>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    id: String,
    title: String,
    item: String,
    severity: Severity,
    #[serde(default)]
    levels: BTreeMap<String, Severity>,
    risk: String,
    remedy: String,
    #[serde(default)]
    rotate: String,
    #[serde(default)]
    maps: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default = "yes")]
    confirmed: bool,
    #[serde(default)]
    investigate: bool,
    #[serde(default)]
    action: Action,
    look: Vec<RawLook>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLook {
    #[serde(default)]
    linux: Vec<String>,
    #[serde(default)]
    windows: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    condition: String,
    #[serde(default)]
    with: toml::Table,
    #[serde(default)]
    report: Report,
    severity: Option<Severity>,
}

fn within(with: &toml::Table) -> Result<Within> {
    let value = with.get("within").cloned().ok_or_else(|| Error::new(Kind::Usage, "within: missing"))?;
    value.try_into().map_err(|error| Error::new(Kind::Usage, format!("within: {error}")))
}

fn yes() -> bool {
    true
}

/// How hits become findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Report {
    /// Each place is a finding.
    #[default]
    Each,
    /// All below the directory that the pattern names are one finding: how many, how large, from when.
    Directory,
}

/// What a clean-up script may do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: a person decides, as the remedy says.
    #[default]
    Hand,
    /// Remove the file or directory; of a directory whose entries were summed up, what is below it.
    Remove,
    /// Make the file empty and keep it; of a directory whose entries were summed up, every file below it.
    Empty,
    /// Take the account's password away.
    Lock,
}

/// Which findings of secrets answer a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// Those in files in use.
    Files,
    /// Those in what was deleted: files, slack, free space, journals.
    Remains,
}

/// A check.
#[derive(Clone, Debug)]
pub struct Check {
    /// Identifier.
    pub id: String,
    /// Group of checks.
    pub group: &'static str,
    /// One line for people.
    pub title: String,
    /// Item of the founding checklist that it answers.
    pub item: String,
    /// How bad a finding is.
    pub severity: Severity,
    /// How bad it is in special cases, by the condition's name for the case.
    pub levels: BTreeMap<String, Severity>,
    /// What a finding proves and what may come of it.
    pub risk: String,
    /// The command or step that removes it.
    pub remedy: String,
    /// What to change elsewhere, because a copy may have left already; empty for nothing.
    pub rotate: String,
    /// What other lists call it: `virt-sysprep ssh-hostkeys`, `waagent …`, `AWS …`, `Azure …`.
    pub maps: Vec<String>,
    /// Where the paths and criteria come from.
    pub sources: Vec<String>,
    /// Whether a source confirms them; otherwise they are practitioners' knowledge.
    pub confirmed: bool,
    /// Whether it belongs to an investigation, not to hygiene.
    pub investigate: bool,
    /// What a clean-up script may do.
    pub action: Action,
    /// Which findings of secrets answer it, where the checks themselves do not.
    pub within: Option<Within>,
    /// Patterns, for the documentation.
    pub linux: Vec<String>,
    /// Patterns, for the documentation.
    pub windows: Vec<String>,
    /// Conditions, for the documentation.
    pub conditions: Vec<String>,
}

/// A set of patterns and the condition for what they match.
#[derive(Debug)]
pub(crate) struct Look {
    /// Index of the check.
    pub(crate) check: usize,
    /// The condition; `None` where it is still to be written.
    pub(crate) condition: Option<Box<dyn Condition>>,
    /// Names that do not count.
    pub(crate) except: Vec<Wild>,
    /// How hits become findings.
    pub(crate) report: Report,
    /// Systems that it has patterns for.
    pub(crate) on: Vec<Os>,
    /// Severity in place of the check's.
    pub(crate) severity: Option<Severity>,
    /// Why it is not evaluated, where that is so.
    pub(crate) pending: Option<&'static str>,
}

/// The patterns for one sort of system.
#[derive(Debug)]
pub(crate) struct Tries {
    /// From the root of the system.
    pub(crate) root: Trie,
    /// From every home.
    pub(crate) home: Trie,
    /// From the root of every volume.
    pub(crate) volume: Trie,
}

impl Tries {
    fn new() -> Self {
        Self { root: Trie::new(), home: Trie::new(), volume: Trie::new() }
    }

    fn insert(&mut self, pattern: &Pattern, look: usize) {
        let trie = match pattern.anchor {
            Anchor::Root => &mut self.root,
            Anchor::Home => &mut self.home,
            Anchor::Volume => &mut self.volume,
        };
        trie.insert(pattern, look);
    }
}

/// The checks, read and compiled.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) checks: Vec<Check>,
    pub(crate) looks: Vec<Look>,
    pub(crate) linux: Tries,
    pub(crate) windows: Tries,
    pub(crate) digest: String,
}

impl Checks {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Kind::Usage`] with the check's identifier.
    pub(crate) fn load(files: &[File], profile: Profile) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut all = Self {
            checks: Vec::new(),
            looks: Vec::new(),
            linux: Tries::new(),
            windows: Tries::new(),
            digest: String::new(),
        };
        let mut seen = BTreeSet::new();
        for (group, text) in files {
            hasher.update(text.as_bytes());
            let raw: RawFile =
                toml::from_str(text).map_err(|error| Error::new(Kind::Usage, format!("{group}: {error}")))?;
            for check in raw.check {
                let id = check.id.clone();
                if !seen.insert(id.clone()) {
                    return Err(Error::new(Kind::Usage, format!("check {id} is there twice")));
                }
                all.add(group, check, profile).map_err(|error| error.context(format!("check {id}")))?;
            }
        }
        all.digest = hasher.finalize().to_hex().chars().take(32).collect();
        Ok(all)
    }

    fn add(&mut self, group: &'static str, raw: RawCheck, profile: Profile) -> Result<()> {
        let index = self.checks.len();
        let mut cases: BTreeSet<&'static str> = BTreeSet::new();
        let mut check = Check {
            id: raw.id,
            group,
            title: raw.title,
            item: raw.item,
            severity: raw.severity,
            levels: raw.levels,
            risk: raw.risk,
            remedy: raw.remedy,
            rotate: raw.rotate,
            maps: raw.maps,
            sources: raw.sources,
            confirmed: raw.confirmed,
            investigate: raw.investigate,
            action: raw.action,
            within: None,
            linux: Vec::new(),
            windows: Vec::new(),
            conditions: Vec::new(),
        };
        for look in raw.look {
            check.linux.extend(look.linux.iter().cloned());
            check.windows.extend(look.windows.iter().cloned());
            check.conditions.push(look.condition.clone());
            if look.condition == SCAN {
                check.within = Some(within(&look.with)?);
            }
            let is_out = raw.investigate && profile == Profile::Release;
            cases.extend(self.add_look(index, look, is_out)?);
        }
        if let Some(unknown) = check.levels.keys().find(|case| !cases.contains(case.as_str())) {
            return Err(Error::new(Kind::Usage, format!("no condition knows the case {unknown}")));
        }
        self.checks.push(check);
        Ok(())
    }

    /// Adds the patterns of a look; gives the cases that its condition knows.
    fn add_look(&mut self, check: usize, raw: RawLook, is_out: bool) -> Result<&'static [&'static str]> {
        let index = self.looks.len();
        let mut on = Vec::new();
        for (os, patterns) in [(Os::Linux, &raw.linux), (Os::Windows, &raw.windows)] {
            for text in patterns {
                // A check that is out of force is not walked for.
                for pattern in glob::parse(text, os == Os::Windows)?.iter().filter(|_| !is_out) {
                    self.tries_mut(os).insert(pattern, index);
                }
            }
            if !patterns.is_empty() {
                on.push(os);
            }
        }
        if on.is_empty() {
            return Err(Error::new(Kind::Usage, "no patterns"));
        }
        let mut pending = is_out.then_some(INVESTIGATE);
        let (condition, cases) = if raw.condition == SCAN {
            pending = Some(ELSEWHERE);
            (None, &[] as &[&str])
        } else {
            let kind = conditions::kind(&raw.condition)
                .ok_or_else(|| Error::new(Kind::Usage, format!("no such condition: {}", raw.condition)))?;
            (Some((kind.build)(raw.with)?).filter(|_| !is_out), kind.cases)
        };
        let except = raw.except.iter().map(|name| Wild::new(name)).collect();
        let (report, severity) = (raw.report, raw.severity);
        self.looks.push(Look { check, condition, except, report, on, severity, pending });
        Ok(cases)
    }

    /// Compiles all patterns.
    pub(crate) fn prepare(&self) -> Result<()> {
        for look in &self.looks {
            let id = self.checks.get(look.check).map_or("", |check| check.id.as_str());
            let condition = look.condition.as_ref();
            condition
                .map_or(Ok(()), |one| one.prepare())
                .map_err(|error| error.context(format!("check {id}")))?;
        }
        Ok(())
    }

    fn tries_mut(&mut self, os: Os) -> &mut Tries {
        match os {
            Os::Linux => &mut self.linux,
            Os::Windows => &mut self.windows,
        }
    }

    /// The patterns for a sort of system.
    pub(crate) fn tries(&self, os: Os) -> &Tries {
        match os {
            Os::Linux => &self.linux,
            Os::Windows => &self.windows,
        }
    }
}
