//! Regular expressions over bytes, compiled when first used.

use crate::error::{Error, Kind, Result};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

/// Matches of one text that are looked at before the rest is left.
const MATCHES_MAX: usize = 100_000;

/// A set of regular expressions.
#[derive(Debug)]
pub(crate) struct Patterns {
    texts: Vec<String>,
    compiled: OnceLock<std::result::Result<Regex, String>>,
}

impl Patterns {
    /// A set of these; wrong ones are told at first use and by [`prepare`](Self::prepare).
    pub(crate) fn new(texts: Vec<String>) -> Self {
        Self { texts, compiled: OnceLock::new() }
    }

    fn regex(&self) -> Result<&Regex> {
        let compiled = self.compiled.get_or_init(|| {
            let syntax = syntax::Config::new().unicode(false).utf8(false).multi_line(true);
            let built = Regex::builder().syntax(syntax).build_many(&self.texts);
            built.map_err(|error| {
                format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
            })
        });
        compiled.as_ref().map_err(|error| Error::new(Kind::Usage, error.clone()))
    }

    /// Compiles the set.
    ///
    /// # Errors
    /// [`Kind::Usage`] with what is wrong.
    pub(crate) fn prepare(&self) -> Result<()> {
        if self.texts.is_empty() { Ok(()) } else { self.regex().map(|_| ()) }
    }

    /// Whether any matches.
    pub(crate) fn matches(&self, text: &[u8]) -> Result<bool> {
        Ok(!self.texts.is_empty() && self.regex()?.is_match(text))
    }

    /// Gives each match and its group `s` (or `s2`, `s3`), until `found` matches had one or no bound is left.
    pub(crate) fn find(
        &self,
        text: &[u8],
        most: usize,
        mut found: impl FnMut(Range<usize>, Option<Range<usize>>),
    ) -> Result<()> {
        if self.texts.is_empty() {
            return Ok(());
        }
        let regex = self.regex()?;
        for captures in regex.captures_iter(text).take(most.saturating_mul(50).min(MATCHES_MAX)) {
            let Some(whole) = captures.get_match() else { continue };
            let named = ["s", "s2", "s3"].into_iter().find_map(|name| captures.get_group_by_name(name));
            found(whole.range(), named.map(|span| span.range()));
        }
        Ok(())
    }
}

/// Expressions for settings whose names are these, in INI, properties, YAML, JSON, shell and XML.
pub(crate) fn key_value(keys: &[String]) -> Vec<String> {
    let keys = keys.join("|");
    vec![
        format!(
            r#"(?i)(?:^|[^A-Za-z0-9_.-])["']?(?:{keys})["']?[ \t]*(?:=>|:=|[:=])[ \t]*(?P<s>"[^"\r\n]+"|'[^'\r\n]+'|[^\s"',;<>(){{}}\[\]][^\s"',;<>]*)"#
        ),
        format!(r"(?i)<(?:{keys})(?:\s[^<>]*)?>\s*(?P<s>[^<>\s][^<>]*?)\s*</"),
        format!(r#"(?i)\b(?:name|key)="(?:{keys})"\s+value="(?P<s>[^"]+)""#),
    ]
}

/// Commands with a secret among their arguments; compiled once for all checks.
pub(crate) fn commands() -> &'static Patterns {
    #[derive(serde::Deserialize)]
    struct File {
        command: Vec<Command>,
    }
    #[derive(serde::Deserialize)]
    struct Command {
        regex: String,
    }
    static COMMANDS: LazyLock<Patterns> = LazyLock::new(|| {
        let text = include_str!("../../signatures/leftovers/commands.list.toml");
        let file = toml::from_str::<File>(text).map(|file| file.command).unwrap_or_default();
        Patterns::new(file.into_iter().map(|command| command.regex).collect())
    });
    &COMMANDS
}

/// Whether a value stands for a secret that is given elsewhere or not at all.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&str; 38] = [
        "null",
        "none",
        "nil",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "changeme",
        "change_me",
        "changeit",
        "change-me",
        "example",
        "password",
        "passwd",
        "secret",
        "token",
        "your_password",
        "yourpassword",
        "your-password",
        "placeholder",
        "redacted",
        "undefined",
        "default",
        "dummy",
        "todo",
        "tbd",
        "empty",
        "disabled",
        "enabled",
        "required",
        "optional",
        "xxx",
        "...",
        "prompt",
        "ask",
        "file",
    ];
    let text = String::from_utf8_lossy(value);
    let text = text.trim().trim_end_matches(['}', ']', ')', ',', ';']).trim_matches(['"', '\'']).trim();
    let lower = text.to_ascii_lowercase();
    let is_one_character = text.chars().all(|character| text.starts_with(character));
    // A hash of crypt(5) begins with a dollar sign as well: `$6$salt$…`.
    let is_hash = text.strip_prefix('$').is_some_and(|rest| rest.split('$').count() > 2);
    let is_reference = (text.starts_with(['$', '%', '<', '{', '`', '@', '*', '&']) && !is_hash)
        || text.contains("${")
        || text.contains("{{")
        || text.starts_with("ENC(");
    text.len() < 3
        || is_one_character
        || is_reference
        || WORDS.contains(&lower.as_str())
        || lower.starts_with("your")
        || lower.starts_with("*sensitive*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_every_notation() {
        let patterns = Patterns::new(key_value(&["db_?password".to_owned(), "secret".to_owned()]));
        let cases = [
            ("db_password = hunter2", Some("hunter2")),
            ("  \"dbPassword\": \"hunter2\",", Some("\"hunter2\"")),
            ("secret: hunter2", Some("hunter2")),
            ("export SECRET='a b'", Some("'a b'")),
            ("<secret>hunter2</secret>", Some("hunter2")),
            ("<add key=\"secret\" value=\"hunter2\" />", Some("hunter2")),
            ("my_secret = x1y2", None),
            ("secretary: bob", None),
            ("secret =", None),
        ];
        for (text, expected) in cases {
            let mut found = None;
            patterns.find(text.as_bytes(), 1, |_, secret| found = found.clone().or(secret)).unwrap();
            assert_eq!(found.map(|range| &text[range]), expected, "{text}");
        }
    }

    #[test]
    fn placeholders_are_no_secrets() {
        for value in
            ["$X", "${DB}", "{{ x }}", "<pw>", "changeme", "****", "'none'", "", "xx", "%PW%", "your_key"]
        {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "P@ss1", "\"s3cret!\""] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn each_command_expression_finds_its_example_and_not_its_near_miss() {
        #[derive(serde::Deserialize)]
        struct File {
            command: Vec<Command>,
        }
        #[derive(serde::Deserialize)]
        struct Command {
            name: String,
            regex: String,
            finds: String,
            misses: String,
        }
        let file: File =
            toml::from_str(include_str!("../../signatures/leftovers/commands.list.toml")).unwrap();
        assert!(file.command.len() > 60);
        for command in file.command {
            let patterns = Patterns::new(vec![command.regex]);
            assert!(patterns.matches(command.finds.as_bytes()).unwrap(), "{}", command.name);
            assert!(!patterns.matches(command.misses.as_bytes()).unwrap(), "{}", command.name);
        }
    }
}
