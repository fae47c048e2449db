//! Allow-lists: findings that somebody answers for, with a reason and an end.
//!
//! ```toml
//! [[allow]]
//! id = "6b1f0c2a9d3e4f50"            # or fingerprint, or check, or rule with path
//! reason = "test key of the vendor, valid nowhere"
//! owner = "platform team"
//! expires = 2027-01-31               # the last day on which the entry holds
//! ```

use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use serde::Deserialize;

/// An allow-list in force.
#[derive(Debug, Default)]
pub struct AllowList {
    entries: Vec<Entry>,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<Written>,
}

/// An entry as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Option<String>,
    fingerprint: Option<String>,
    check: Option<String>,
    rule: Option<String>,
    path: Option<String>,
    reason: String,
    owner: String,
    expires: toml::value::Datetime,
}

/// An entry, and how often it was used.
#[derive(Debug)]
struct Entry {
    subject: Subject,
    reason: String,
    owner: String,
    expires: Date,
    used: u64,
}

/// What an entry is about.
#[derive(Debug)]
enum Subject {
    Id(String),
    Fingerprint(String),
    Check(String),
    Rule { rule: String, path: String, matcher: GlobMatcher },
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id {id}"),
            Self::Fingerprint(fingerprint) => write!(f, "fingerprint {fingerprint}"),
            Self::Check(check) => write!(f, "check {check}"),
            Self::Rule { rule, path, .. } => write!(f, "rule {rule}, path {path}"),
        }
    }
}

impl AllowList {
    /// Adds the entries of a file's text.
    ///
    /// # Errors
    /// [`Kind::Usage`] for TOML that is wrong, unknown fields, entries about nothing or about several
    /// things, empty reasons and owners, and dates that are none.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.bytes().filter(|&byte| byte == b'\n').count().saturating_add(1));
            Error::new(Kind::Usage, format!("line {line}: {}", error.message()))
        })?;
        for (number, written) in (1_u64..).zip(file.allow) {
            let entry = Entry::parse(written)
                .map_err(|message| Error::new(Kind::Usage, format!("entry {number}: {message}")))?;
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Why the finding is accepted on `today`: reason, owner and end of the first entry that fits.
    pub fn allows(&mut self, finding: &Finding, today: Date) -> Option<String> {
        let mut said = None;
        for entry in self.entries.iter_mut().filter(|entry| entry.subject.fits(finding)) {
            entry.used = entry.used.saturating_add(1);
            if entry.expires >= today && said.is_none() {
                said = Some(format!("{} ({}, until {})", entry.reason, entry.owner, entry.expires));
            }
        }
        said
    }

    /// What its owners should know: entries that have expired, and entries that fit no finding.
    pub fn notes(&self, today: Date) -> Vec<String> {
        let note = |entry: &Entry| match (entry.expires < today, entry.used) {
            (true, used) => Some(format!(
                "allow-list: {} ({}) expired on {}, it fits {used} findings",
                entry.subject, entry.owner, entry.expires
            )),
            (false, 0) => Some(format!("allow-list: {} ({}) fits no finding", entry.subject, entry.owner)),
            (false, _) => None,
        };
        self.entries.iter().filter_map(note).collect()
    }

    /// Forgets which entries were used, for the next image.
    pub fn restart(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.used = 0);
    }
}

impl Entry {
    fn parse(written: Written) -> Result<Self, String> {
        let Written { id, fingerprint, check, rule, path, reason, owner, expires } = written;
        let subject = match (id, fingerprint, check, rule, path) {
            (Some(id), None, None, None, None) => Subject::Id(id),
            (None, Some(fingerprint), None, None, None) => Subject::Fingerprint(fingerprint),
            (None, None, Some(check), None, None) => Subject::Check(check),
            (None, None, None, Some(rule), Some(path)) => {
                let glob = GlobBuilder::new(&path).literal_separator(true).build();
                let matcher = glob.map_err(|error| format!("path: {error}"))?.compile_matcher();
                Subject::Rule { rule, path, matcher }
            }
            _ => {
                return Err("expected one of id, fingerprint, check, or rule together with path".to_owned());
            }
        };
        for (name, value) in [("reason", &reason), ("owner", &owner)] {
            if value.trim().is_empty() {
                return Err(format!("{name}: expected some words, found nothing"));
            }
        }
        let expires = expires
            .to_string()
            .parse()
            .map_err(|_error: jiff::Error| format!("expires: expected a date, found {expires}"))?;
        Ok(Self { subject, reason, owner, expires, used: 0 })
    }
}

impl Subject {
    fn fits(&self, finding: &Finding) -> bool {
        match self {
            Self::Id(id) => finding.id == *id,
            Self::Fingerprint(fingerprint) => finding.fingerprint.as_ref() == Some(fingerprint),
            Self::Check(check) => finding.rule == *check || finding.checks.contains(check),
            Self::Rule { rule, matcher, .. } => {
                finding.rule == *rule
                    && finding.place.path.as_ref().is_some_and(|path| matcher.is_match(path))
            }
        }
    }
}

/// The text of an entry for one finding.
pub fn entry(id: &str, reason: &str, owner: &str, expires: Date) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "[[allow]]\nid = {}\nreason = {}\nowner = {}\nexpires = {expires}\n",
        quote(id),
        quote(reason),
        quote(owner)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        match AllowList::default().add(text) {
            Ok(()) => assert_eq!(expected, "", "{text}"),
            Err(error) => assert!(
                !expected.is_empty() && error.to_string().contains(expected),
                "{text}: {error}, expected {expected}"
            ),
        }
    }

    #[test]
    fn an_entry_needs_one_subject_a_reason_an_owner_and_an_end() {
        let rest = "reason = 'r'\nowner = 'o'\nexpires = 2027-01-31\n";
        check(&format!("[[allow]]\nid = 'x'\n{rest}"), "");
        check(&format!("[[allow]]\nrule = 'x'\npath = '/usr/**'\n{rest}"), "");
        check(&format!("[[allow]]\nrule = 'x'\n{rest}"), "entry 1: expected one of");
        check(&format!("[[allow]]\nid = 'x'\ncheck = 'y'\n{rest}"), "entry 1: expected one of");
        check(&format!("[[allow]]\nrule = 'x'\npath = '['\n{rest}"), "path:");
        check(&format!("[[allow]]\nid = 'x'\nidd = 'y'\n{rest}"), "line 3: unknown field");
        check("[[allow]]\nid = 'x'\nreason = 'r'\nexpires = 2027-01-31\n", "missing field `owner`");
        check("[[allow]]\nid = 'x'\nreason = ''\nowner = 'o'\nexpires = 2027-01-31\n", "reason: expected");
        check("[[allow]]\nid = 'x'\nreason = 'r'\nowner = 'o'\nexpires = 10:00:00\n", "expires: expected");
        check("nonsense", "line 1");
    }

    #[test]
    fn a_written_entry_reads_back() {
        let text = entry("6b1f", "it's \"fine\"\n", "me", jiff::civil::date(2027, 1, 31));
        check(&text, "");
    }
}
