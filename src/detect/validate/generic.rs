//! Whether the value of an assignment is a secret: what its characters, its name and its file say.
//!
//! A rule that looks for `password = …` knows nothing of the value. High confidence keeps the rule's
//! verdict, low confidence makes it possible, and what is plainly something else is rejected.

use super::entropy::shannon;
use super::uuid::is_uuid;
use super::words::is_wordy;
use super::{Change, Ruling, Subject, Validator, jwt, placeholder};
use crate::detect::judge::{Words, contains_ignoring_case, lines_around};
use crate::rules::Verdict;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

pub(super) const VALIDATOR: Validator = Validator { name: "generic", check };

/// How sure a value is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Confidence {
    None,
    Low,
    High,
}

/// What sort of file the value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Source code: what is not in quotes is an expression.
    Code,
    /// Documentation and translations: values are examples and sentences.
    Prose,
    /// A file of a test suite or a collection of examples.
    Trial,
    /// Configuration, scripts, data, and what has no name.
    Other,
}

fn check(subject: &Subject<'_>) -> Ruling {
    let value = subject.secret();
    let surroundings = Surroundings::of(subject);
    if placeholder::is_template(value) || surroundings.goes_on_as_code {
        return Ruling::Reject;
    }
    let mut confidence = weigh(value, surroundings.is_quoted);
    // Many services hand out keys in the form of a UUID; without the name, most UUIDs are something else.
    if is_uuid(value) && !is_typed(value) && surroundings.names_a_credential {
        confidence = Confidence::High;
    }
    if is_digest(value) && surroundings.names_a_digest {
        confidence = Confidence::None;
    }
    if confidence == Confidence::None {
        // The path takes reading directories, and can only say less.
        return Ruling::Reject;
    }
    // A JSON web token has a rule that parses it; its head alone is cut from an explanation.
    let is_web_token = value.starts_with(b"eyJ") && (value.len() < WEB_TOKEN_LEN_MIN || jwt::is_token(value));
    if surroundings.is_of_known_vendor
        || names_itself(value)
        || is_web_token
        || surroundings.is_said_to_be_none
        || surroundings.is_example
    {
        confidence = Confidence::Low;
    }
    let path = (subject.window.path)();
    match path.as_deref().map_or(FileKind::Other, file_kind) {
        FileKind::Trial => confidence = Confidence::Low,
        FileKind::Code if !surroundings.is_quoted => {
            confidence = if is_wordy(value) { Confidence::None } else { Confidence::Low };
        }
        FileKind::Prose if is_wordy(value) => confidence = Confidence::Low,
        FileKind::Code | FileKind::Prose | FileKind::Other => {}
    }
    match confidence {
        Confidence::None => Ruling::Reject,
        Confidence::Low => Ruling::Amend(Change { verdict: Some(Verdict::Possible), ..Change::default() }),
        Confidence::High => Ruling::Accept,
    }
}

/// Shortest JSON web token: two objects and a signature.
const WEB_TOKEN_LEN_MIN: usize = 64;

/// What stands around a value.
#[derive(Debug, Default)]
struct Surroundings {
    is_quoted: bool,
    /// A call, an index or a member access follows.
    goes_on_as_code: bool,
    /// The name in front says that the value is a checksum.
    names_a_digest: bool,
    /// The line says that it is an example.
    is_example: bool,
    /// The name is that of a vendor's key or token; those have a form, and rules of their own.
    is_of_known_vendor: bool,
    /// The name says that it is a credential, and not the number of one.
    names_a_credential: bool,
    /// The name says that the value is made up: `invalidToken`, `fakeSecret`.
    is_said_to_be_none: bool,
}

/// Words of a line whose value is a checksum.
static DIGEST_WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::new(&["md5", "sha1", "sha2", "sha5", "checksum", "digest", "etag", "commit", "integrity"])
});
/// Words of a line that gives an example.
static EXAMPLE_WORDS: LazyLock<Words> =
    LazyLock::new(|| Words::new(&["e.g.", "example:", "for example", "for instance", "for demo", "such as"]));

impl Surroundings {
    fn of(subject: &Subject<'_>) -> Self {
        let bytes = subject.window.bytes;
        let before = subject.secret.start.checked_sub(1).and_then(|at| bytes.get(at));
        let is_quoted = matches!(before, Some(b'"' | b'\'' | b'`'));
        let after = bytes.get(subject.secret.end..).unwrap_or_default();
        let line = bytes.get(lines_around(bytes, &subject.matched)).unwrap_or_default();
        let name = bytes.get(name_start(bytes, &subject.matched)..subject.secret.start).unwrap_or_default();
        Self {
            is_quoted,
            goes_on_as_code: !is_quoted && matches!(after.first(), Some(b'(' | b'[')),
            is_of_known_vendor: is_of_known_vendor(name),
            names_a_credential: names_a_credential(name),
            is_said_to_be_none: MADE_UP.iter().any(|word| contains_ignoring_case(name, word)),
            names_a_digest: DIGEST_WORDS.stand_in(line),
            is_example: EXAMPLE_WORDS.stand_in(line),
        }
    }
}

/// Where the name that a match starts in starts itself: the rule may have begun in its middle.
fn name_start(bytes: &[u8], matched: &Range<usize>) -> usize {
    let before = bytes.get(..matched.start).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let len = before.iter().rev().take(64).take_while(|byte| is_name(byte)).count();
    matched.start - len
}

/// Vendors whose keys and tokens have a form that a rule knows; words of the rules' ids, one a line in the file.
static VENDORS: LazyLock<HashSet<&[u8]>> =
    LazyLock::new(|| include_str!("vendors.txt").lines().map(str::as_bytes).collect());

/// Whether a name such as `ACME_API_KEY` is that of a vendor whose tokens have a known form.
fn is_of_known_vendor(name: &[u8]) -> bool {
    let name: Vec<u8> =
        name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let is_token = [b"key".as_slice(), b"token"].iter().any(|word| contains_ignoring_case(&name, word));
    is_token && (1..=name.len()).filter_map(|length| name.get(..length)).any(|start| VENDORS.contains(start))
}

/// Whether a value holds digits as they lie on a keyboard or in the alphabet: nobody drew them.
fn is_typed(value: &[u8]) -> bool {
    [b"12345".as_slice(), b"abcde", b"a1b2c", b"00000"].iter().any(|row| contains_ignoring_case(value, row))
}

/// Words of names of values that are made up.
const MADE_UP: [&[u8]; 8] =
    [b"nonmatching", b"invalid", b"fake", b"dummy", b"mock", b"bogus", b"wrong", b"incorrect"];

/// Whether a name ends as those of keys, tokens and secrets do: `api_key`, `authToken`, and not `token_id`.
fn names_a_credential(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 6] = [b"token", b"secret", b"apikey", b"accesskey", b"secretkey", b"authkey"];
    let bare: Vec<u8> =
        name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    ENDS.iter().any(|end| bare.ends_with(end))
}

/// `CleartextPassword1`: words and the name of what should stand there.
fn names_itself(value: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"password", b"passwd", b"secret", b"token"];
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_plain = value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    is_plain && digits <= 3 && is_wordy(value) && NAMES.iter().any(|name| contains_ignoring_case(value, name))
}

/// What the value's own characters say.
fn weigh(value: &[u8], is_quoted: bool) -> Confidence {
    use Confidence::{High, Low, None};
    let count = |kind: fn(&u8) -> bool| value.iter().filter(|byte| kind(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let lower = count(u8::is_ascii_lowercase);
    let upper = count(u8::is_ascii_uppercase);
    let joints = count(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'));
    let marks = value.len() - digits - lower - upper - joints;
    let is_words = is_wordy(value);
    if value.len() < 4 || placeholder::is_placeholder(value) || is_place(value) || is_passwd_entry(value) {
        return None;
    }
    // Letters of other scripts are a word of a translation: hardly any password can be typed with them.
    if digits == 0 && !value.is_ascii() && std::str::from_utf8(value).is_ok() {
        return Low;
    }
    if is_uuid(value) || digits == value.len() || is_date_or_version(value, digits, joints) {
        return Low;
    }
    if count(u8::is_ascii_whitespace) > 0 {
        return if is_words { None } else { Low };
    }
    let is_code = count(|byte| matches!(byte, b'(' | b')' | b'{' | b'}' | b'<' | b'>' | b';' | b'|')) > 0
        || [b"->".as_slice(), b"::", b"==", b"&&"].iter().any(|op| contains_ignoring_case(value, op));
    if is_code {
        return if !is_quoted || is_words { None } else { Low };
    }
    if is_digest(value) {
        return High;
    }
    if digits == 0 && marks == 0 {
        return letters(value, is_words, joints, lower > 0 && upper > 0);
    }
    if joints > 0 && marks == 0 && (is_joined_name(value) || is_numbered_name(value)) {
        return Low;
    }
    // `ipv6CidrBlocks`: a number inside a name. Passwords carry theirs at the end.
    let ends_in_letter = value.last().is_some_and(u8::is_ascii_alphabetic);
    if is_words && marks == 0 && digits <= 2 && ends_in_letter && has_humps(value) {
        return Low;
    }
    if is_number(value) {
        return Low;
    }
    if is_exclamation(value) {
        return Low;
    }
    if marks > 0 && (digits > 0 || !is_words) {
        return High;
    }
    match (is_words, joints) {
        // `oauth2_token`: names with a number in them.
        (true, 1..) => Low,
        (true, 0) if digits <= value.len() / 2 && shannon(value) >= 2.5 => High,
        (true, _) => Low,
        (false, _) => {
            if shannon(value) >= 2.8 {
                High
            } else {
                Low
            }
        }
    }
}

/// A value of letters, and of the marks that join words.
fn letters(value: &[u8], is_words: bool, joints: usize, is_mixed: bool) -> Confidence {
    if is_words {
        // One word may be a weak password; several are the name of something.
        return if joints > 0 || has_humps(value) { Confidence::None } else { Confidence::Low };
    }
    let is_long = value.len() >= 20 && shannon(value) >= 3.3;
    if is_long || (is_mixed && value.len() >= 8 && joints == 0) { Confidence::High } else { Confidence::Low }
}

/// `aes-128-cbc`, `v1.2-beta`: up to four short parts, each of letters or of digits alone.
fn is_joined_name(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'));
    let count = parts.clone().count();
    let is_plain = |part: &[u8]| {
        let is_one_kind = part.iter().all(u8::is_ascii_digit)
            || part.iter().all(u8::is_ascii_lowercase)
            || part.iter().all(u8::is_ascii_uppercase);
        is_one_kind && part.len() <= 8
    };
    count <= 4 && parts.all(is_plain)
}

/// `dhcp_opt43_key`, `GPG-KEY-Rocky9`: three parts or more, each of letters and at most two digits after them.
fn is_numbered_name(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'));
    let is_numbered = |part: &[u8]| {
        let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        (2..=12).contains(&letters)
            && part.len() - letters <= 2
            && part.iter().skip(letters).all(u8::is_ascii_digit)
    };
    parts.clone().count() >= 3 && parts.all(is_numbered)
}

/// `Passwort?`: a word of any language, and the mark that ends a sentence.
fn is_exclamation(value: &[u8]) -> bool {
    value.split_last().is_some_and(|(last, word)| {
        matches!(last, b'?' | b'!' | b'.' | b':' | b',') && word.iter().all(u8::is_ascii_alphabetic)
    })
}

/// `0x5632724f`.
fn is_number(value: &[u8]) -> bool {
    value.strip_prefix(b"0x").is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether an upper-case letter follows a lower-case one.
fn has_humps(value: &[u8]) -> bool {
    value.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Whether the value has the length and the digits of a common hash.
fn is_digest(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 48 | 56 | 64 | 96 | 128) && value.iter().all(u8::is_ascii_hexdigit)
}

/// Paths, addresses, names of hosts and files.
fn is_place(value: &[u8]) -> bool {
    const SUFFIXES: [&str; 24] = [
        ".pem", ".key", ".crt", ".txt", ".json", ".yml", ".yaml", ".conf", ".cfg", ".ini", ".xml", ".php",
        ".html", ".htm", ".js", ".ts", ".py", ".rb", ".sh", ".go", ".java", ".com", ".org", ".net",
    ];
    let lower = value.to_ascii_lowercase();
    let is_address = contains_ignoring_case(value, b"://") || lower.starts_with(b"www.");
    let is_path = [b"/".as_slice(), b"./", b"../", b"~/", b"\\\\"].iter().any(|root| value.starts_with(root))
        && (is_wordy(value) || value.len() < 16)
        || value.get(1..3) == Some(b":\\");
    let is_mail = lower.iter().filter(|byte| **byte == b'@').count() == 1
        && lower
            .rsplit(|byte| *byte == b'@')
            .next()
            .is_some_and(|host| host.contains(&b'.') && is_wordy(host));
    is_address || is_path || is_mail || SUFFIXES.iter().any(|suffix| lower.ends_with(suffix.as_bytes()))
}

/// `daemon:x:1:1:daemon`: a line of passwd(5), whose password stands elsewhere.
fn is_passwd_entry(value: &[u8]) -> bool {
    let mut fields = value.split(|byte| *byte == b':').skip(1);
    let is_absent = fields.next().is_some_and(|field| matches!(field, b"x" | b"*" | b"!"));
    is_absent && fields.next().is_some_and(|field| !field.is_empty() && field.iter().all(u8::is_ascii_digit))
}

/// `2021-04-05`, `10.0.3.7`, `1.2.3-4`, `12:30:00`.
fn is_date_or_version(value: &[u8], digits: usize, joints: usize) -> bool {
    digits > 0 && joints > 0 && value.len() - digits - joints <= 1
}

/// What a path says of a file.
pub(super) fn file_kind(path: &[u8]) -> FileKind {
    const CODE: &[&str] = &[
        "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "cs", "java", "kt", "scala", "go", "rs", "py", "pyi",
        "rb", "php", "pl", "pm", "js", "mjs", "cjs", "ts", "jsx", "tsx", "vue", "swift", "m", "mm", "lua",
        "r", "dart", "ex", "exs", "erl", "hs", "ml", "clj", "groovy", "vb", "pas", "tcl", "el", "vim", "css",
        "scss", "less",
    ];
    const PROSE: &[&str] = &[
        "md", "markdown", "rst", "adoc", "tex", "texi", "pod", "po", "pot", "mo", "xlf", "html", "htm",
        "xhtml", "1", "2", "3", "4", "5", "6", "7", "8", "info", "hlp", "chm", "pdf", "docbook", "strings",
        "qm", "arb",
    ];
    const TRIALS: &[&str] = &[
        "test",
        "tests",
        "testing",
        "testdata",
        "test-data",
        "spec",
        "specs",
        "fixtures",
        "__tests__",
        "mock",
        "mocks",
        "example",
        "examples",
        "sample",
        "samples",
        "demo",
        "demos",
        "doc-examples",
    ];
    const PROSE_PLACES: &[&str] =
        &["/share/doc/", "/share/man/", "/share/locale/", "/share/info/", "/share/help/"];
    let text = String::from_utf8_lossy(path).to_ascii_lowercase();
    let (folders, name) = text.rsplit_once('/').unwrap_or(("", &text));
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if folders.split('/').any(|folder| TRIALS.contains(&folder)) || name.starts_with("test_") {
        return FileKind::Trial;
    }
    if PROSE.contains(&extension) || PROSE_PLACES.iter().any(|place| text.contains(place)) {
        return FileKind::Prose;
    }
    if CODE.contains(&extension) { FileKind::Code } else { FileKind::Other }
}

#[cfg(test)]
mod tests {
    use super::Confidence::{High, Low, None};
    use super::*;

    #[test]
    fn values_are_weighed_by_what_they_are_made_of() {
        let cases = [
            ("tG7#mVq2Lz", High),
            ("hunter22", High),
            ("swordfish!23", High),
            ("3ebf21f8e5d1ab86b27a720842c3bb56", High),
            ("dqplmxl7frf1pmfco5wkqtz4gmmz33dxvpru6g8t", High),
            ("sbxEmzpjkWcaHqTd", High),
            ("swordfish", Low),
            ("c4ed6c21-9dd5-4a05-8e3f-c56d1151cce8", Low),
            ("aes-128-cbc", Low),
            ("20210405", Low),
            ("getPasswordField", None),
            ("mysql:x:100:101:MySQL", None),
            ("password_reset_form", None),
            ("/etc/ssl/private.key", None),
            ("https://vault.example.net/x", None),
            ("request.form", None),
            ("Enter the passphrase again", None),
            ("admin@mail.server.net", None),
        ];
        for (text, expected) in cases {
            assert_eq!(weigh(text.as_bytes(), true), expected, "{text}");
        }
    }

    #[test]
    fn vendors_with_a_form_of_their_own_are_known_by_name() {
        let rules = crate::rules::RuleSet::builtin().unwrap();
        for vendor in include_str!("vendors.txt").lines() {
            let is_known = |id: &str| id.replace('-', "").starts_with(vendor);
            assert!(rules.rules().iter().any(|rule| is_known(&rule.id)), "{vendor}");
        }
        assert!(is_of_known_vendor(b"DEEPGRAM_API_KEY="));
        assert!(!is_of_known_vendor(b"api_key = "));
    }

    #[test]
    fn the_path_tells_code_prose_and_trials_apart() {
        let cases = [
            ("/srv/app/main.py", FileKind::Code),
            ("/usr/share/doc/x/README", FileKind::Prose),
            ("/home/a/README.md", FileKind::Prose),
            ("/srv/app/tests/settings.yml", FileKind::Trial),
            ("/home/a/.env", FileKind::Other),
            ("/etc/app.conf", FileKind::Other),
        ];
        for (path, expected) in cases {
            assert_eq!(file_kind(path.as_bytes()), expected, "{path}");
        }
    }
}
