//! Regexes written for Go's RE2, where they differ from the syntax used here.
//!
//! Go takes `{` that starts no repetition and `[` inside a class literally, and knows `\Q…\E`; the syntax of
//! the `regex-syntax` crate does not. Look-around and back-references exist in neither.

use super::rule::Rule;

/// `rule` with its regexes in the syntax used here.
///
/// # Errors
/// A sentence that names the regex and what is wrong with it.
pub(super) fn translate(mut rule: Rule) -> Result<Rule, String> {
    rule.regex = regex("regex", &rule.regex)?;
    if let Some(path) = &rule.path {
        rule.path = Some(regex("path", path)?);
    }
    for list in &mut rule.allowlists {
        for one in &mut list.regexes {
            *one = regex("allowlist regex", one)?;
        }
        for one in &mut list.paths {
            *one = regex("allowlist path", one)?;
        }
    }
    Ok(rule)
}

fn regex(what: &str, pattern: &str) -> Result<String, String> {
    let fits = |pattern: &str| {
        let mut parser =
            regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(250).build();
        parser.parse(pattern).map_err(|error| error.to_string())
    };
    let Err(first) = fits(pattern) else { return Ok(pattern.to_owned()) };
    let written = from_go(pattern);
    if fits(&written).is_ok() {
        return Ok(written);
    }
    // A class with characters beyond ASCII needs Unicode.
    let unicode = format!("(?u){written}");
    if fits(&unicode).is_ok() {
        return Ok(unicode);
    }
    let last = first.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Err(format!("its {what} is not supported ({last})"))
}

/// Escapes what Go takes literally.
fn from_go(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(one) = rest.chars().next() {
        let after = rest.get(one.len_utf8()..).unwrap_or_default();
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (body, tail) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex_syntax::escape(body));
            rest = tail;
            continue;
        }
        match one {
            '\\' => {
                let next = after.chars().next();
                out.push('\\');
                out.extend(next);
                rest = after.get(next.map_or(0, char::len_utf8)..).unwrap_or_default();
                continue;
            }
            '[' if in_class && !after.starts_with(':') => out.push_str(r"\["),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A `]` that stands first in a class is a character of it.
                let (negated, tail) = after.strip_prefix('^').map_or((false, after), |tail| (true, tail));
                if negated {
                    out.push('^');
                }
                let literal = tail.strip_prefix(']');
                if literal.is_some() {
                    out.push_str(r"\]");
                }
                rest = literal.unwrap_or(tail);
                continue;
            }
            '[' => {
                let end = after.find(":]").map_or(after.len(), |end| end + 2);
                out.push('[');
                out.push_str(after.get(..end).unwrap_or_default());
                rest = after.get(end..).unwrap_or_default();
                continue;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(one);
            }
            '{' if !in_class && !is_repetition(after) => out.push_str(r"\{"),
            '}' if !in_class && !closes_repetition(&out) => out.push_str(r"\}"),
            other => out.push(other),
        }
        rest = after;
    }
    out
}

/// Whether `{` and what follows it is `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(after: &str) -> bool {
    after.split_once('}').is_some_and(|(body, _)| is_count(body))
}

fn closes_repetition(before: &str) -> bool {
    before.rsplit_once('{').is_some_and(|(head, body)| !head.ends_with('\\') && is_count(body))
        || before.rsplit_once('{').is_some_and(|(head, _)| {
            [r"\x", r"\p", r"\P", r"\u", r"\U"].iter().any(|escape| head.ends_with(escape))
        })
}

fn is_count(body: &str) -> bool {
    let (low, high) = body.split_once(',').unwrap_or((body, ""));
    !low.is_empty() && low.chars().chain(high.chars()).all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_takes_literally_is_escaped() {
        let cases = [
            (r"\Qa.b\E[0-9]{2}", r"a\.b[0-9]{2}"),
            (r"\$\{[A-Z]+}", r"\$\{[A-Z]+\}"),
            (r"{{ *secret", r"\{\{ *secret"),
            (r"[[<]x", r"[\[<]x"),
            (r"[]a]x{2,}", r"[\]a]x{2,}"),
            (r"[[:alpha:]&&]", r"[[:alpha:]\&\&]"),
            (r"\x{41}b", r"\x{41}b"),
        ];
        for (go, ours) in cases {
            assert_eq!(from_go(go), ours);
            assert!(regex("regex", go).is_ok(), "{go}");
        }
    }

    #[test]
    fn look_around_is_refused_by_name() {
        let why = regex("regex", r"secret(?!s)").unwrap_err();
        assert!(why.contains("look-around"), "{why}");
    }
}
