//! What is to be done about the findings of one image, apart from any shell.

use crate::finding::Finding;
use crate::leftover::{Action, Catalogue, Check, CheckState};
use crate::location::{State, harmless, unescape};
use crate::record::{Header, Summary};
use crate::report::words;
use crate::rules::{Category, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// Whose files a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    Linux,
    Windows,
}

/// A thing that a script can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// Remove a file or directory.
    Remove,
    /// Make a file empty.
    Empty,
    /// Remove everything below a directory.
    RemoveBelow,
    /// Make every file below a directory empty.
    EmptyBelow,
    /// Take the password of this account away.
    Lock(Vec<u8>),
}

/// A deed and why.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) deed: Deed,
    /// Path on its volume, as bytes.
    pub(super) path: Vec<u8>,
    /// Why, for a comment: one line.
    pub(super) why: String,
}

/// The steps on one volume.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) system: System,
    pub(super) steps: Vec<Step>,
    /// What a person does: place and advice, one line each.
    pub(super) by_hand: Vec<String>,
}

/// What is to be done about one image.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) image: String,
    pub(super) volumes: Vec<Volume>,
    /// What to change elsewhere, and for how many findings.
    pub(super) rotate: BTreeMap<String, u64>,
    /// Findings in what was deleted and not erased.
    pub(super) remains: u64,
    /// Findings in no file: swap, unpartitioned space, the container.
    pub(super) elsewhere: u64,
    /// Checks that were not evaluated though they should have been, with the reason.
    pub(super) open: Vec<String>,
    /// Places with a step already.
    done: BTreeSet<(String, Vec<u8>, Deed)>,
}

impl Plan {
    pub(super) fn new(header: &Header) -> Self {
        let volumes = header.volumes.iter().filter_map(|volume| {
            let kind = volume.filesystem.as_ref()?.kind;
            let is_windows = matches!(kind, "ntfs" | "refs" | "exfat");
            let system = if is_windows { System::Windows } else { System::Linux };
            Some(Volume { name: volume.name.clone(), system, steps: Vec::new(), by_hand: Vec::new() })
        });
        Self {
            image: header.image.clone(),
            volumes: volumes.collect(),
            rotate: BTreeMap::new(),
            remains: 0,
            elsewhere: 0,
            open: Vec::new(),
            done: BTreeSet::new(),
        }
    }

    /// Takes one finding in.
    pub(super) fn take(&mut self, catalogue: &Catalogue, finding: &Finding, from: Severity) {
        if finding.known_good.is_some() || finding.allowed.is_some() || finding.severity < from {
            return;
        }
        let of = |id: &String| catalogue.checks().iter().find(|check| check.id == *id);
        let check = finding.checks.iter().chain([&finding.rule]).find_map(of);
        self.note_rotation(check, finding);
        match finding.place.state {
            Some(State::Allocated | State::Orphan) => {}
            Some(State::Swap | State::Unpartitioned | State::Container | State::Metadata) | None => {
                self.elsewhere = self.elsewhere.saturating_add(1);
                return;
            }
            Some(_) => {
                self.remains = self.remains.saturating_add(1);
                return;
            }
        }
        let why = why(finding);
        let deed = check.and_then(|check| deed(check, finding));
        let path = finding.place.path.as_deref().map(unescape);
        let Some(volume) = self.volumes.iter_mut().find(|volume| volume.name == finding.place.volume) else {
            self.elsewhere = self.elsewhere.saturating_add(1);
            return;
        };
        match (deed, path) {
            (Some(deed), Some(path)) => {
                let key = (volume.name.clone(), path.clone(), deed.clone());
                if self.done.insert(key) {
                    volume.steps.push(Step { deed, path, why });
                }
            }
            _ => volume.by_hand.push(by_hand(finding, &why)),
        }
    }

    fn note_rotation(&mut self, check: Option<&Check>, finding: &Finding) {
        let text = match check.filter(|check| !check.rotate.is_empty()) {
            Some(check) => format!("{}: {}", check.title, check.rotate),
            // A rule's remedy says where its secret is changed.
            None if finding.category != Category::Leftover => {
                format!("{}: {}", base_title(&finding.title), finding.remedy)
            }
            None => return,
        };
        let count = self.rotate.entry(one_line(&text)).or_default();
        *count = count.saturating_add(1);
    }

    /// Takes the end of the scan in.
    pub(super) fn end(&mut self, summary: &Summary) {
        let open = summary.checks.iter().filter(|outcome| outcome.state.is_gap());
        self.open = open
            .map(|outcome| match &outcome.state {
                CheckState::NotEvaluated { reason, .. } => one_line(&format!("{}: {reason}", outcome.check)),
                _ => one_line(&outcome.check),
            })
            .collect();
    }

    /// The system with more to do.
    pub(super) fn system(&self) -> System {
        let count = |system: System| -> usize {
            let own = self.volumes.iter().filter(|volume| volume.system == system);
            own.map(|volume| volume.steps.len().saturating_add(volume.by_hand.len())).sum()
        };
        if count(System::Windows) > count(System::Linux) { System::Windows } else { System::Linux }
    }
}

/// The title without what it names of the place.
fn base_title(title: &str) -> &str {
    title.split(": ").next().unwrap_or(title)
}

/// What a script can do about a finding; nothing for what lies inside of a file.
fn deed(check: &Check, finding: &Finding) -> Option<Deed> {
    let place = &finding.place;
    if place.member.is_some() || place.stream.is_some() {
        return None;
    }
    let starts =
        |index: usize, word: &str| finding.evidence.get(index).is_some_and(|line| line.starts_with(word));
    // A directory whose entries were summed up: their number, then their size.
    let is_sum = place.line.is_none() && starts(0, "entries: ") && starts(1, "size: ");
    match (check.action, is_sum) {
        (Action::Hand, _) => None,
        (Action::Remove, false) => Some(Deed::Remove),
        (Action::Remove, true) => Some(Deed::RemoveBelow),
        (Action::Empty, false) => Some(Deed::Empty),
        (Action::Empty, true) => Some(Deed::EmptyBelow),
        (Action::Lock, _) => {
            let user = finding.evidence.iter().find_map(|line| line.strip_prefix("user: "))?;
            Some(Deed::Lock(unescape(user)))
        }
    }
}

fn why(finding: &Finding) -> String {
    let severity = words::severity(finding.severity);
    let names: Vec<&str> = [&finding.rule].into_iter().chain(&finding.checks).map(String::as_str).collect();
    one_line(&format!("{severity}, {}: {}", names.join(" and "), finding.title))
}

fn by_hand(finding: &Finding, why: &str) -> String {
    let place = &finding.place;
    let path = place.path.clone().unwrap_or_default();
    let line = place.line.filter(|line| *line > 0).map(|line| format!(", line {line}")).unwrap_or_default();
    let inside = place.member.as_ref().map(|member| format!(", inside: {member}")).unwrap_or_default();
    let stream = place.stream.as_ref().map(|stream| format!(", stream {stream}")).unwrap_or_default();
    one_line(&format!("{path}{inside}{stream}{line} ({why}). {}", finding.remedy))
}

/// Text for a comment: one line of printable ASCII, whatever a scan's records hold.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::new();
    for character in harmless(text).chars() {
        match character {
            ' '..='~' => out.push(character),
            other => out.extend(other.escape_unicode()),
        }
    }
    out
}
