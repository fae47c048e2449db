//! LVM2's configuration text: nested sections, numbers, strings and lists (lvm.conf(5); `format_text`).

use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;

/// Sections within sections; a volume group has four levels.
const DEPTH_MAX: usize = 16;
/// Values in one text; a group of a thousand volumes has some ten thousand.
const NODES_MAX: usize = 1 << 20;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
    List(Vec<Value>),
    Section(Section),
}

/// Names with their values, and the names in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    values: BTreeMap<String, Value>,
    order: Vec<String>,
}

impl Section {
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        match self.values.get(name)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    /// Sections with their names, in the order of the text.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.section(name)?)))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name)? {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Names with strings.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| match value {
            Value::Text(text) => Some((name.as_str(), text.as_str())),
            _ => None,
        })
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        match self.values.get(name) {
            Some(Value::List(values)) => values,
            _ => &[],
        }
    }

    /// All strings in this section's values and lists.
    pub(super) fn strings(&self) -> impl Iterator<Item = &str> {
        self.values
            .values()
            .flat_map(|value| match value {
                Value::Text(_) => std::slice::from_ref(value).iter(),
                Value::List(values) => values.iter(),
                _ => [].iter(),
            })
            .filter_map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }
}

/// Reads a text up to its end or its first NUL.
///
/// # Errors
/// [`Kind::Corrupt`] with the offset in the text, [`Kind::LimitExceeded`] for absurd nesting or length.
pub(super) fn parse(text: &[u8]) -> Result<Section> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let mut parser = Parser { text: text.get(..end).unwrap_or_default(), at: 0, nodes: 0 };
    parser.section(0)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn wrong(&self, expected: &str) -> Error {
        let found = self.peek().map_or("the end".to_owned(), |byte| crate::location::escape(&[byte]));
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        Error::corrupt(at, "volume group text", expected, found)
    }

    /// Skips blanks and comments.
    fn blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.step();
                    }
                }
                byte if byte.is_ascii_whitespace() => self.step(),
                _ => return,
            }
        }
    }

    /// `NAME = VALUE` and `NAME { … }` up to a closing brace or the end.
    fn section(&mut self, depth: usize) -> Result<Section> {
        if depth > DEPTH_MAX {
            return Err(Error::new(Kind::LimitExceeded, "sections nested too deep"));
        }
        let mut section = Section::default();
        loop {
            self.blanks();
            match self.peek() {
                None if depth == 0 => return Ok(section),
                Some(b'}') if depth > 0 => {
                    self.step();
                    return Ok(section);
                }
                None => return Err(self.wrong("`}`")),
                Some(_) => {}
            }
            let name = self.name()?;
            self.blanks();
            let value = match self.peek() {
                Some(b'{') => {
                    self.step();
                    Value::Section(self.section(depth.saturating_add(1))?)
                }
                Some(b'=') => {
                    self.step();
                    self.value()?
                }
                _ => return Err(self.wrong("`=` or `{`")),
            };
            self.count()?;
            if section.values.insert(name.clone(), value).is_none() {
                section.order.push(name);
            }
        }
    }

    fn count(&mut self) -> Result<()> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return Err(Error::new(Kind::LimitExceeded, "too many values in a volume group's text"));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<String> {
        let start = self.at;
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/');
        while self.peek().is_some_and(is_part) {
            self.step();
        }
        let name = self.text.get(start..self.at).filter(|name| !name.is_empty());
        name.map(|name| String::from_utf8_lossy(name).into_owned()).ok_or_else(|| self.wrong("a name"))
    }

    fn value(&mut self) -> Result<Value> {
        self.blanks();
        match self.peek() {
            Some(b'[') => {
                self.step();
                self.list()
            }
            _ => self.scalar(),
        }
    }

    fn list(&mut self) -> Result<Value> {
        let mut values = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') => {
                    self.step();
                    return Ok(Value::List(values));
                }
                Some(b',') => self.step(),
                _ => {
                    self.count()?;
                    values.push(self.scalar()?);
                }
            }
        }
    }

    fn scalar(&mut self) -> Result<Value> {
        match self.peek() {
            Some(b'"') => {
                self.step();
                self.quoted().map(Value::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wrong("a number, a string or a list")),
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek() {
            self.step();
            match byte {
                b'"' => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                b'\\' => {
                    bytes.extend(self.peek());
                    self.step();
                }
                other => bytes.push(other),
            }
        }
        Err(self.wrong("`\"`"))
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        while self.peek().is_some_and(|byte| matches!(byte, b'-' | b'.' | b'0'..=b'9')) {
            self.step();
        }
        let digits = self.text.get(start..self.at).and_then(|digits| std::str::from_utf8(digits).ok());
        let number =
            digits.and_then(|digits| digits.split('.').next()).and_then(|digits| digits.parse().ok());
        number.map(Value::Number).ok_or_else(|| self.wrong("a number of 64 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_numbers_strings_and_lists_are_read_and_comments_are_not() {
        let text = b"vg { # a comment }\n id = \"a\\\"b\"\n n = 42\n s = [\"pv0\", 0, \"pv1\", 7]\n e = []\n x { y = -1 } }\n# end\n\0junk {";
        let root = parse(text).unwrap();
        let group = root.section("vg").unwrap();
        assert_eq!((group.text("id"), group.number("n")), (Some("a\"b"), Some(42)));
        assert_eq!(group.list("s").len(), 4);
        assert_eq!(group.section("x").unwrap().number("y"), None);
        assert_eq!(group.sections().map(|(name, _)| name).collect::<Vec<_>>(), ["x"]);
        assert_eq!(group.strings().collect::<Vec<_>>(), ["a\"b", "pv0", "pv1"]);
    }

    #[test]
    fn broken_text_is_an_error_and_never_more() {
        let deep = "a {".repeat(100_000);
        for text in
            ["a", "a =", "a = [", "a = \"x", "a {", "= 1", "a = 99999999999999999999", &deep, "a = [,,"]
        {
            assert!(parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(20)]);
        }
    }
}
