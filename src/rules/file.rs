//! Rule files: TOML to rules, strictly for our own, by name of what is left out for others'.

use super::rule::{Allowlist, Encodings, Example, Rule};
use super::{Category, Severity, Verdict};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use toml::{Table, Value};

/// A rule file as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    #[serde(default)]
    pub(super) rules: Vec<RawRule>,
    #[serde(default)]
    pub(super) allowlist: Option<Allowlist>,
    #[serde(default)]
    pub(super) allowlists: Vec<Allowlist>,
    #[serde(default)]
    pub(super) extend: Extend,
}

/// What a foreign file says about the rules that it builds upon.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extend {
    #[serde(default, rename = "useDefault")]
    pub(super) use_default: bool,
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default, rename = "disabledRules", alias = "disabled_rules")]
    pub(super) disabled_rules: Vec<String>,
}

/// A rule as it stands in a file; all but the id may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) id: String,
    description: Option<String>,
    category: Option<Category>,
    severity: Option<Severity>,
    verdict: Option<Verdict>,
    pub(super) regex: Option<String>,
    pub(super) walker: Option<String>,
    value: Option<String>,
    keywords: Option<Vec<String>>,
    #[serde(alias = "secretGroup")]
    secret_group: Option<usize>,
    entropy: Option<f64>,
    pub(super) path: Option<String>,
    #[serde(default)]
    validators: Vec<String>,
    encodings: Option<Vec<Encodings>>,
    generic: Option<bool>,
    pair: Option<String>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
    allowlist: Option<Allowlist>,
    #[serde(default)]
    stopwords: Vec<String>,
    remedy: Option<String>,
    source: Option<String>,
    #[serde(default)]
    matches: Vec<Example>,
    #[serde(default)]
    near_misses: Vec<Example>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

impl RawRule {
    /// A rule of its own.
    pub(super) fn into_rule(self) -> Rule {
        let blank = Rule {
            id: self.id.clone(),
            description: self.id.clone(),
            category: if self.id.contains("generic") { Category::Generic } else { Category::OtherSaas },
            severity: Severity::High,
            verdict: Verdict::Likely,
            regex: String::new(),
            walker: None,
            value: None,
            keywords: Vec::new(),
            secret_group: None,
            entropy: None,
            path: None,
            validators: Vec::new(),
            encodings: vec![Encodings::Narrow, Encodings::Utf16],
            generic: false,
            pair: None,
            allowlists: Vec::new(),
            stopwords: Vec::new(),
            remedy: String::new(),
            source: String::new(),
            matches: Vec::new(),
            near_misses: Vec::new(),
            builtin: false,
        };
        self.over(blank)
    }

    /// `base` with everything that this rule says in place of what `base` says; lists grow.
    pub(super) fn over(self, mut base: Rule) -> Rule {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut base.description, self.description);
        put(&mut base.category, self.category);
        put(&mut base.severity, self.severity);
        put(&mut base.verdict, self.verdict);
        put(&mut base.regex, self.regex);
        put(&mut base.keywords, self.keywords);
        put(&mut base.encodings, self.encodings);
        put(&mut base.generic, self.generic);
        put(&mut base.remedy, self.remedy);
        put(&mut base.source, self.source);
        base.walker = self.walker.or(base.walker);
        base.value = self.value.or(base.value);
        base.secret_group = self.secret_group.or(base.secret_group);
        base.entropy = self.entropy.or(base.entropy);
        base.path = self.path.or(base.path);
        base.pair = self.pair.or(base.pair);
        base.validators.extend(self.validators);
        base.allowlists.extend(self.allowlists);
        base.allowlists.extend(self.allowlist);
        base.stopwords.extend(self.stopwords);
        base.matches.extend(self.matches);
        base.near_misses.extend(self.near_misses);
        base
    }
}

/// Reads one of our own files.
///
/// # Errors
/// [`Kind::Usage`] for text that is no TOML, an unknown key, a wrong value; names the file.
pub(super) fn parse_own(name: &str, text: &str) -> Result<RuleFile> {
    toml::from_str(text).map_err(|source| wrong(name, &source))
}

/// Reads one of the files that come with the program.
///
/// # Errors
/// As [`parse_own`].
pub(super) fn parse_builtin(name: &str, json: &str) -> Result<RuleFile> {
    serde_json::from_str(json).map_err(|source| Error::new(Kind::Usage, format!("{name}: {source}")))
}

/// Reads a file of unknown make. Keys that mean nothing here are named in `warnings`.
///
/// # Errors
/// [`Kind::Usage`] for text that is no TOML, or a known key with a value of the wrong type.
pub(super) fn parse_foreign(name: &str, text: &str, warnings: &mut Vec<String>) -> Result<RuleFile> {
    let mut table: Table = text.parse().map_err(|source| wrong(name, &source))?;
    for key in ["title", "description", "minVersion", "betterleaksMinVersion"] {
        table.remove(key);
    }
    keep_known(&mut table, FILE_KEYS, name, warnings);
    if let Some(Value::Table(extend)) = table.get_mut("extend") {
        keep_known(extend, EXTEND_KEYS, &format!("{name}: extend"), warnings);
    }
    keep_known_allowlists(&mut table, name, warnings);
    if let Some(Value::Array(rules)) = table.get_mut("rules") {
        leave_out_parts(rules, name, warnings);
        for rule in rules.iter_mut().filter_map(Value::as_table_mut) {
            let place = format!("{name}: rule `{}`", rule.get("id").and_then(Value::as_str).unwrap_or("?"));
            take_entropy(rule);
            keep_known(rule, RULE_KEYS, &place, warnings);
            keep_known_allowlists(rule, &place, warnings);
            go_defaults(rule);
        }
    }
    Value::Table(table).try_into().map_err(|source: toml::de::Error| wrong(name, &source))
}

const FILE_KEYS: &[&str] = &["rules", "allowlist", "allowlists", "extend"];
const EXTEND_KEYS: &[&str] = &["useDefault", "path", "url", "disabledRules", "disabled_rules"];
const ALLOWLIST_KEYS: &[&str] = &[
    "description",
    "condition",
    "regexes",
    "regexTarget",
    "regex_target",
    "stopwords",
    "stopWords",
    "paths",
    "commits",
    "targetRules",
    "target_rules",
];
const RULE_KEYS: &[&str] = &[
    "id",
    "description",
    "category",
    "severity",
    "verdict",
    "regex",
    "walker",
    "value",
    "keywords",
    "secret_group",
    "secretGroup",
    "entropy",
    "path",
    "validators",
    "encodings",
    "generic",
    "pair",
    "allowlists",
    "allowlist",
    "stopwords",
    "remedy",
    "source",
    "matches",
    "near_misses",
    "tags",
];

/// Removes and names the keys that are not `known`.
fn keep_known(table: &mut Table, known: &[&str], place: &str, warnings: &mut Vec<String>) {
    table.retain(|key, _| {
        let keep = known.contains(&key);
        if !keep {
            warnings.push(format!("{place}: `{key}` means nothing here and has no effect"));
        }
        keep
    });
}

/// The same for the allowlists of a file or rule, in the older single and the later plural form.
fn keep_known_allowlists(table: &mut Table, place: &str, warnings: &mut Vec<String>) {
    let place = format!("{place}: allowlist");
    // The older form of `[rules.allowlist]` is a table, the later `[[rules.allowlists]]` an array of them.
    if let Some(one) = table.get_mut("allowlist") {
        match one {
            Value::Table(list) => keep_known(list, ALLOWLIST_KEYS, &place, warnings),
            Value::Array(_) => {
                if let Some(lists) = table.remove("allowlist") {
                    table.insert("allowlists".to_owned(), lists);
                }
            }
            _ => {}
        }
    }
    if let Some(Value::Array(lists)) = table.get_mut("allowlists") {
        for list in lists.iter_mut().filter_map(Value::as_table_mut) {
            keep_known(list, ALLOWLIST_KEYS, &place, warnings);
            if list.get("commits").and_then(Value::as_array).is_some_and(|commits| !commits.is_empty()) {
                warnings.push(format!("{place}: `commits` means nothing in a disk image and has no effect"));
            }
        }
    }
}

/// Removes and names the rules that only lend their matches to others: what they find is no finding.
fn leave_out_parts(rules: &mut Vec<Value>, name: &str, warnings: &mut Vec<String>) {
    rules.retain(|rule| {
        let is_part = rule.get("skipReport").and_then(Value::as_bool) == Some(true);
        if is_part {
            let id = rule.get("id").and_then(Value::as_str).unwrap_or("?");
            warnings
                .push(format!("{name}: rule `{id}` reports nothing itself (`skipReport`) and is left out"));
        }
        !is_part
    });
}

/// Turns a filter that asks for nothing but the secret's entropy into that number; betterleaks has no key for it.
fn take_entropy(rule: &mut Table) {
    let filter = rule.get("filter").and_then(Value::as_str).unwrap_or_default().trim();
    let filter = filter.strip_prefix("filter.").unwrap_or(filter);
    let Some(rest) = filter.strip_prefix("entropy(finding[\"secret\"])") else { return };
    let bound = rest.trim_start().trim_start_matches("<=").trim_start_matches('<').trim();
    if let Ok(least) = bound.parse::<f64>() {
        rule.remove("filter");
        rule.insert("entropy".to_owned(), Value::Float(least));
    }
}

/// A zero means "not given" to Go, and `entropy = 3` is as good as `entropy = 3.0`.
fn go_defaults(rule: &mut Table) {
    rule.retain(|key, value| key != "skipReport" || value.as_bool() != Some(false));
    for key in ["secretGroup", "secret_group"] {
        if rule.get(key).and_then(Value::as_integer) == Some(0) {
            rule.remove(key);
        }
    }
    if let Some(entropy) = rule.get_mut("entropy")
        && let Some(whole) = entropy.as_integer()
        && let Ok(small) = i32::try_from(whole)
    {
        *entropy = Value::Float(f64::from(small));
    }
}

fn wrong(name: &str, source: &toml::de::Error) -> Error {
    Error::new(Kind::Usage, format!("rule file {name}: {}", source.to_string().trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_foreign_file_says_is_taken_or_named() {
        let text = r#"
            title = "x"
            betterleaksMinVersion = "v1.6.0"
            prefilter = "matchesAny(get(attributes, \"path\", \"\"), [`x`])"
            [[rules]]
            id = "a"
            regex = "abcd[0-9]{8}"
            filter = "filter.entropy(finding[\"secret\"]) <= 3.5"
            validate = "let r = http.get(\"https://a.example\")"
            [[rules]]
            id = "b"
            regex = "efgh[0-9]{8}"
            filter = "entropy(finding[\"secret\"]) < 3.0 || containsAny(finding[\"secret\"], [\"x\"])"
            [[rules]]
            id = "part"
            regex = "ijkl[0-9]{8}"
            skipReport = true
        "#;
        let mut warnings = Vec::new();
        let file = parse_foreign("f.toml", text, &mut warnings).unwrap();
        let rules: Vec<_> = file.rules.iter().map(|rule| (rule.id.as_str(), rule.entropy)).collect();
        assert_eq!(rules, [("a", Some(3.5)), ("b", None)]);
        let has = |part: &str| warnings.iter().any(|warning| warning.contains(part));
        for part in ["prefilter", "rule `a`: `validate`", "rule `b`: `filter`", "rule `part` reports nothing"]
        {
            assert!(has(part), "{part}: {warnings:?}");
        }
        assert!(!has("rule `a`: `filter`") && !has("MinVersion"), "{warnings:?}");
    }
}
