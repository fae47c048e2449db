//! What one rule says, as it stands in a rule file.
//!
//! The schema is a superset of the gitleaks and betterleaks configuration: their files load unchanged, and
//! what this program adds has names of its own.

use super::{Category, Encoding, Severity, Verdict};
use serde::{Deserialize, Serialize};

/// A rule, complete and ready to be compiled.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// Identifier, unique among all rules in force.
    pub id: String,
    /// One line for people.
    pub description: String,
    /// What sort of secret it finds.
    pub category: Category,
    /// How bad a finding is, unless a validator knows better.
    pub severity: Severity,
    /// How sure a finding is, unless a validator knows better.
    pub verdict: Verdict,
    /// What a match looks like; empty where `walker` does the work.
    pub regex: String,
    /// Name of the hand-written walker that finds the match, for bodies too long for a regex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walker: Option<String>,
    /// Form of the value that the walker `vendor` looks for; any that a machine drew where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Strings one of which stands in every match; derived from the regex where absent.
    pub keywords: Vec<String>,
    /// Capture group that holds the secret; the first one that took part in the match where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_group: Option<usize>,
    /// Least Shannon entropy of the secret in bits a character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Regex that the file's path must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Names of the validators that every match must pass, in order.
    pub validators: Vec<String>,
    /// Encodings in which the keywords are looked for.
    pub encodings: Vec<Encodings>,
    /// Whether another rule's finding on the same bytes replaces this rule's.
    pub generic: bool,
    /// Id of the rule whose finding within a few lines completes this one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// What is not to be reported.
    pub allowlists: Vec<Allowlist>,
    /// Words that no secret contains, in either case.
    pub stopwords: Vec<String>,
    /// How to remove and rotate.
    pub remedy: String,
    /// Where the format is documented.
    pub source: String,
    /// Texts in which the rule finds something.
    pub matches: Vec<Example>,
    /// Texts in which it finds nothing.
    pub near_misses: Vec<Example>,
    /// Whether the rule came with the program.
    #[serde(skip)]
    pub builtin: bool,
}

impl Rule {
    /// Whether the rule's keywords are looked for in this encoding.
    pub fn is_sought_in(&self, encoding: Encoding) -> bool {
        let wanted = match encoding {
            Encoding::Narrow => Encodings::Narrow,
            Encoding::Utf16Le | Encoding::Utf16Be => Encodings::Utf16,
        };
        self.encodings.contains(&wanted)
    }
}

/// Encodings that a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encodings {
    /// One byte a character.
    Narrow,
    /// UTF-16 in either byte order.
    Utf16,
}

/// Text of a rule's own test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawExample")]
pub struct Example {
    /// The text.
    pub text: String,
    /// The secret that must be found in it, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Path of the file that holds the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The verdict that the finding must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawExample {
    Text(String),
    Table(ExampleTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleTable {
    text: String,
    secret: Option<String>,
    path: Option<String>,
    verdict: Option<Verdict>,
}

impl From<RawExample> for Example {
    fn from(raw: RawExample) -> Self {
        match raw {
            RawExample::Text(text) => Self { text, secret: None, path: None, verdict: None },
            RawExample::Table(table) => {
                Self { text: table.text, secret: table.secret, path: table.path, verdict: table.verdict }
            }
        }
    }
}

/// What is not to be reported, in gitleaks' form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowlist {
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether one of the criteria is enough or all that are given must hold.
    #[serde(default)]
    pub condition: Condition,
    /// Regexes on the target.
    #[serde(default)]
    pub regexes: Vec<String>,
    /// What the regexes look at.
    #[serde(default, rename = "regexTarget", alias = "regex_target")]
    pub regex_target: Target,
    /// Words in the secret, in either case.
    #[serde(default, alias = "stopWords")]
    pub stopwords: Vec<String>,
    /// Regexes on the file's path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Commit hashes; nothing in a disk image answers to them.
    #[serde(default)]
    pub commits: Vec<String>,
    /// Ids of the rules that it applies to; all rules of the same file where empty.
    #[serde(default, rename = "targetRules", alias = "target_rules")]
    pub target_rules: Vec<String>,
}

/// How the criteria of an allowlist combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// One is enough.
    #[default]
    #[serde(rename = "OR", alias = "or", alias = "||")]
    Any,
    /// All that are given must hold.
    #[serde(rename = "AND", alias = "and", alias = "&&")]
    All,
}

/// What an allowlist's regexes look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The secret.
    #[default]
    #[serde(alias = "")]
    Secret,
    /// All of the match.
    Match,
    /// The line or lines that hold the match.
    Line,
}
