//! The rules in force: the built-in ones, and what a team's files add, replace and take away.

use super::file::{self, RawRule, RuleFile};
use super::rule::{Allowlist, Rule};
use super::{builtin, dialect};
use crate::error::{Error, Kind, Result};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::BTreeMap;

/// Rules with distinct ids, in the order in which they were loaded.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    index: BTreeMap<String, usize>,
    warnings: Vec<String>,
}

impl RuleSet {
    /// No rules.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The rules that come with the program.
    ///
    /// # Errors
    /// [`Kind::Usage`] when one of the files is wrong; the tests of this program say so first.
    pub fn builtin() -> Result<Self> {
        let mut set = Self::default();
        // Reading them is a good part of what a run takes to start.
        let parsed: Vec<_> =
            builtin::FILES.par_iter().map(|(name, json)| file::parse_builtin(name, json)).collect();
        for ((name, _), parsed) in builtin::FILES.iter().zip(parsed) {
            set.add(name, parsed?)?;
        }
        for rule in &mut set.rules {
            rule.builtin = true;
        }
        Ok(set)
    }

    /// Adds a file in our own schema, strictly.
    ///
    /// # Errors
    /// [`Kind::Usage`] for TOML that does not parse, unknown keys, a rule without a regex or walker, and an
    /// id that is taken.
    pub fn add_own(&mut self, name: &str, text: &str) -> Result<()> {
        self.add(name, file::parse_own(name, text)?)
    }

    fn add(&mut self, name: &str, file: RuleFile) -> Result<()> {
        let RuleFile { rules, allowlist, allowlists, .. } = file;
        let shared: Vec<Allowlist> = allowlists.into_iter().chain(allowlist).collect();
        for raw in rules {
            let mut rule = raw.into_rule();
            if rule.regex.is_empty() == rule.walker.is_none() {
                return Err(refuse(name, &rule.id, "expected either `regex` or `walker`"));
            }
            if self.index.contains_key(&rule.id) {
                return Err(refuse(name, &rule.id, "another rule has this id"));
            }
            rule.allowlists.extend(shared.iter().filter(|list| aims_at(list, &rule.id)).cloned());
            self.push(rule);
        }
        Ok(())
    }

    /// Adds a team's file: gitleaks' or betterleaks' schema, or our own.
    ///
    /// A rule whose id is taken replaces or, where it has no regex, amends the other. What cannot be
    /// expressed here is left out and named in [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// [`Kind::Usage`] for TOML that does not parse and values of the wrong type.
    pub fn add_foreign(&mut self, name: &str, text: &str) -> Result<()> {
        let mut warnings = Vec::new();
        let RuleFile { rules, allowlist, allowlists, extend } =
            file::parse_foreign(name, text, &mut warnings)?;
        if extend.use_default {
            warnings.push(format!("{name}: `extend.useDefault`: the rules of this program are in force"));
        }
        for (key, value) in [("path", &extend.path), ("url", &extend.url)] {
            if !value.is_empty() {
                warnings.push(format!("{name}: `extend.{key}` is not followed; name that file as well"));
            }
        }
        for id in &extend.disabled_rules {
            if !self.remove(id) {
                warnings.push(format!("{name}: disabled rule `{id}` is not among the rules"));
            }
        }
        let mut touched = Vec::new();
        for raw in rules {
            touched.extend(self.add_foreign_rule(name, raw, &mut warnings));
        }
        for list in allowlists.into_iter().chain(allowlist) {
            self.share(&list, &touched);
        }
        self.warnings.append(&mut warnings);
        Ok(())
    }

    /// The id of the rule that was added, replaced or amended.
    fn add_foreign_rule(&mut self, name: &str, raw: RawRule, warnings: &mut Vec<String>) -> Option<String> {
        let id = raw.id.clone();
        let known = self.index.get(&id).and_then(|&at| self.rules.get(at)).cloned();
        let has_body = raw.regex.is_some() || raw.walker.is_some();
        let rule = match known {
            Some(base) if !has_body => raw.over(base),
            _ if !has_body => {
                let why = if raw.path.is_some() { "looks at the path alone" } else { "has no regex" };
                warnings.push(format!("{name}: rule `{id}` {why} and is left out"));
                return None;
            }
            other => {
                if other.is_some() {
                    warnings.push(format!("{name}: rule `{id}` takes the place of the one with its id"));
                }
                raw.into_rule()
            }
        };
        match dialect::translate(rule) {
            Ok(rule) => self.push(rule),
            Err(why) => {
                warnings.push(format!("{name}: rule `{id}` is left out: {why}"));
                return None;
            }
        }
        Some(id)
    }

    /// Gives an allowlist to the rules it names, or to those of its own file.
    fn share(&mut self, list: &Allowlist, touched: &[String]) {
        for rule in &mut self.rules {
            let own = touched.contains(&rule.id);
            let aimed = if list.target_rules.is_empty() { own } else { aims_at(list, &rule.id) };
            if aimed {
                rule.allowlists.push(list.clone());
            }
        }
    }

    fn push(&mut self, rule: Rule) {
        match self.index.get(&rule.id).and_then(|&at| self.rules.get_mut(at)) {
            Some(place) => *place = rule,
            None => {
                self.index.insert(rule.id.clone(), self.rules.len());
                self.rules.push(rule);
            }
        }
    }

    /// Takes a rule away; false where there is none of this id.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.index = self.rules.iter().enumerate().map(|(at, rule)| (rule.id.clone(), at)).collect();
        self.rules.len() < before
    }

    /// Takes the built-in rules for personal data away; a team's own stay.
    pub fn leave_out_personal_data(&mut self) {
        self.rules.retain(|rule| !(rule.builtin && rule.category == super::Category::Pii));
        self.index = self.rules.iter().enumerate().map(|(at, rule)| (rule.id.clone(), at)).collect();
    }

    /// Notes that a rule was left out, in words for the user.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// What of the loaded files could not be expressed, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.index.get(id).and_then(|&at| self.rules.get(at))
    }

    /// BLAKE3 over the rules in the order of their ids, so that file order and layout do not matter.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for rule in self.index.values().filter_map(|&at| self.rules.get(at)) {
            // A rule holds strings, numbers and lists only: nothing that JSON cannot write.
            hasher.update(serde_json::to_string(rule).unwrap_or_default().as_bytes());
            hasher.update(b"\n");
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn aims_at(list: &Allowlist, id: &str) -> bool {
    list.target_rules.is_empty() || list.target_rules.iter().any(|target| target == id)
}

fn refuse(name: &str, id: &str, why: &str) -> Error {
    Error::new(Kind::Usage, format!("rule file {name}: rule `{id}`: {why}"))
}
