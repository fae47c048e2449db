//! Text that stands where a secret would: templates, variables, instructions, rows of one character.

use super::{Ruling, Subject, Validator};
use crate::detect::judge::Words;
use std::sync::LazyLock;

pub(super) const VALIDATOR: Validator = Validator { name: "placeholder", check };

fn check(subject: &Subject<'_>) -> Ruling {
    if is_placeholder(subject.secret()) { Ruling::Reject } else { Ruling::Accept }
}

/// Marks of a value that a program fills in, by where they stand: shells, make, YAML, Jinja, Go, Ruby, PHP,
/// ASP, Python, ant, autoconf, batch files, JavaScript.
const OPENINGS: &[&[u8]] = &[
    b"${", b"$(", b"$[", b"{{", b"{%", b"#{", b"%(", b"<%", b"<?", b"@@", b"%{", b"[[", b"$$", b"%%", b"((",
    b"=>", b"__(", b"_(", b"\\(", b"<<", b"\" +", b"' +", b"\".", b"'.", b"$ENV", b"$env:", b"$_",
];

/// References to a secret store or to the environment: the secret is elsewhere.
const REFERENCES: &[&[u8]] = &[
    b"vault:",
    b"secret:",
    b"secrets.",
    b"secret://",
    b"ref+",
    b"op://",
    b"env:",
    b"env.",
    b"env(",
    b"file:",
    b"arn:aws:",
    b"ssm:",
    b"keyvault",
    b"@microsoft.keyvault",
    b"process.env",
    b"os.environ",
    b"getenv",
    b"system.getenv",
    b"secretkeyref",
    b"valuefrom",
    b"!secret",
    b"!vault",
    b"!ref",
    b"!sub",
    b"enc[",
    b"enc(",
    b"{cipher}",
    b"projects/",
    b"sm://",
    b"gcp-sm",
    b"azurekeyvault",
    b"config.",
    b"settings.",
    b"input(",
    b"prompt",
    b"data.aws_",
    b"var.",
    b"local.",
    b"module.",
    b"resource.",
    b"random_password.",
];

/// Words of instructions; no generator makes them, and who types them means to replace them.
const WORDS: &[&[u8]] = &[
    b"changeme",
    b"change_me",
    b"change-me",
    b"change.me",
    b"changeit",
    b"change_it",
    b"change-it",
    b"changethis",
    b"change_this",
    b"change-this",
    b"tobechanged",
    b"to_be_changed",
    b"example",
    b"placeholder",
    b"yourpass",
    b"your_",
    b"your-",
    b"yoursecret",
    b"yourtoken",
    b"yourkey",
    b"yourapi",
    b"youraccess",
    b"your pass",
    b"my_secret_",
    b"insert_",
    b"insert-",
    b"inserthere",
    b"replaceme",
    b"replace_",
    b"replace-",
    b"replacethis",
    b"redacted",
    b"censored",
    b"<hidden",
    b"dummy",
    b"not_a_real",
    b"notareal",
    b"not-a-real",
    b"notasecret",
    b"not-a-secret",
    b"fixme",
    b"xxxx",
    b"****",
    b"....",
    b"----",
    b"____",
    b"####",
    b"????",
    b"\xe2\x80\xa6",
    b"\xe2\x80\xa2\xe2\x80\xa2",
    b"foobar",
    b"foo_bar",
    b"lorem",
    b"undefined",
    b"_goes_here",
    b"-goes-here",
    b"goeshere",
    b"_here>",
    b"put_your",
    b"put-your",
    b"enter_",
    b"enter-",
    b"enteryour",
    b"fill_in",
    b"some_secret",
    b"somesecret",
    b"some_password",
    b"some_token",
    b"secret_here",
    b"token_here",
    b"key_here",
    b"password_here",
    b"passwordhere",
    b"sample_",
    b"sample-",
    b"fake_",
    b"fake-",
    b"todo_",
    b"deadbeef",
    b"\xe6\x82\xa8\xe7\x9a\x84",
    b"\xe4\xbd\xa0\xe7\x9a\x84",
];

/// The [`OPENINGS`], for a search.
static OPENING_MARKS: LazyLock<Words> = LazyLock::new(|| Words::exact(OPENINGS));
/// The [`WORDS`], for a search.
static INSTRUCTIONS: LazyLock<Words> = LazyLock::new(|| Words::new(WORDS));

/// Names of things, alone where the thing itself should be.
const NAMES: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"passphrase",
    b"passcode",
    b"secret",
    b"secrets",
    b"token",
    b"tokens",
    b"key",
    b"keys",
    b"apikey",
    b"api",
    b"access",
    b"auth",
    b"authorization",
    b"bearer",
    b"basic",
    b"credential",
    b"credentials",
    b"cred",
    b"creds",
    b"user",
    b"username",
    b"login",
    b"name",
    b"email",
    b"mail",
    b"id",
    b"client",
    b"app",
    b"db",
    b"database",
    b"host",
    b"hostname",
    b"server",
    b"port",
    b"url",
    b"uri",
    b"my",
    b"your",
    b"the",
    b"new",
    b"old",
    b"current",
    b"default",
    b"none",
    b"null",
    b"nil",
    b"true",
    b"false",
    b"yes",
    b"no",
    b"on",
    b"off",
    b"required",
    b"optional",
    b"string",
    b"text",
    b"value",
    b"values",
    b"here",
    b"todo",
    b"test",
    b"testing",
    b"sample",
    b"demo",
    b"field",
    b"label",
    b"hint",
    b"input",
    b"prompt",
    b"type",
    b"param",
    b"params",
    b"arg",
    b"args",
    b"var",
    b"env",
    b"config",
    b"file",
    b"path",
    b"hash",
    b"hashed",
    b"encrypted",
    b"reset",
    b"change",
    b"confirm",
    b"confirmation",
    b"repeat",
    b"again",
    b"verify",
    b"invalid",
    b"incorrect",
    b"wrong",
    b"missing",
    b"empty",
    b"blank",
    b"forgot",
    b"forgotten",
    b"show",
    b"hide",
    b"hidden",
    b"set",
    b"get",
    b"is",
    b"has",
    b"and",
    b"or",
    b"of",
    b"for",
    b"to",
    b"with",
    b"in",
    b"from",
    b"as",
    b"by",
    b"not",
    b"this",
    b"that",
    b"public",
    b"private",
    b"protected",
    b"some",
    b"any",
    b"foo",
    b"bar",
    b"baz",
    b"error",
    b"message",
    b"method",
    b"class",
    b"object",
    b"data",
    b"info",
    b"list",
    b"map",
    b"array",
    b"number",
    b"boolean",
    b"bool",
    b"integer",
    b"int",
    b"str",
    b"byte",
    b"bytes",
    b"function",
    b"return",
    b"self",
    b"super",
    b"undefined",
    b"nan",
    b"void",
    b"hostip",
];

/// Whether `value` only stands for a secret, or runs over the strings of a binary.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    is_template(value) || is_instruction(value) || is_row(value) || value.iter().any(u8::is_ascii_control)
}

/// Whether a program fills `value` in, or fetches the secret from elsewhere.
pub(crate) fn is_template(value: &[u8]) -> bool {
    let bare = trim(value);
    let lower = bare.to_ascii_lowercase();
    let wrapped =
        |open: u8, close: u8| bare.len() >= 3 && bare.first() == Some(&open) && bare.last() == Some(&close);
    OPENING_MARKS.stand_in(bare)
        || REFERENCES.iter().any(|reference| lower.starts_with(reference))
        || wrapped(b'<', b'>')
        || wrapped(b'{', b'}')
        || wrapped(b'[', b']')
        || wrapped(b'(', b')')
        || (wrapped(b'%', b'%') || wrapped(b'@', b'@') || wrapped(b'!', b'!')) && bare.len() <= 64
        || wrapped(b'_', b'_') && bare.starts_with(b"__") && bare.ends_with(b"__")
        || is_variable(bare)
        || is_tag(bare)
        || matches!(lower.as_slice(), b"%s" | b"%d" | b"%@" | b"%v" | b"%q" | b"{}" | b"?" | b":")
}

/// `!unsafe`, `!vault`: a tag of YAML, the value follows.
fn is_tag(value: &[u8]) -> bool {
    value.split_first().is_some_and(|(first, name)| {
        *first == b'!' && name.len() >= 3 && name.iter().all(u8::is_ascii_lowercase)
    })
}

/// `$NAME`, `$name->property`, `&name`, `:name`: a sigil and nothing but a name.
fn is_variable(value: &[u8]) -> bool {
    let Some((b'$' | b'&' | b'@' | b':', name)) = value.split_first() else { return false };
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'>' | b':');
    let starts = name.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    // A password may well start with a sigil; names hold words, and digits at most at their end.
    let stem = name.trim_ascii_end().iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let has_inner_digit = name.iter().take(stem).any(u8::is_ascii_digit);
    // `$MYSQL_PWD`: the case of shell variables, whatever it abbreviates.
    let is_constant =
        name.contains(&b'_') && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    starts && !has_inner_digit && name.iter().all(is_name) && (is_constant || super::words::is_wordy(name))
}

/// Whether `value` tells the reader to put something there, or names what belongs there.
pub(crate) fn is_instruction(value: &[u8]) -> bool {
    if INSTRUCTIONS.stand_in(trim(value)) {
        return true;
    }
    let mut parts = split_words(value);
    parts.retain(|part| !part.is_empty());
    !parts.is_empty() && parts.iter().all(|part| NAMES.contains(&part.as_slice()))
}

/// The lower-cased words of `camelCase`, `snake_case` and `UPPER-CASE` text.
fn split_words(value: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = vec![Vec::new()];
    let mut was_lower = false;
    for &byte in value {
        let is_letter = byte.is_ascii_alphabetic();
        if !is_letter || (was_lower && byte.is_ascii_uppercase()) {
            words.push(Vec::new());
        }
        if let (false, false) = (is_letter, matches!(byte, b'_' | b'-' | b' ' | b'.' | b'/' | b':')) {
            words.push(vec![byte]);
        }
        if let (true, Some(word)) = (is_letter, words.last_mut()) {
            word.push(byte.to_ascii_lowercase());
        }
        was_lower = byte.is_ascii_lowercase();
    }
    words
}

/// Whether `value` is a row of one character or two, or counts up or down.
pub(crate) fn is_row(value: &[u8]) -> bool {
    let bare = trim(value);
    if bare.len() < 3 {
        return true;
    }
    let mut distinct: Vec<u8> = bare.to_ascii_lowercase();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() <= 2 || (bare.len() >= 16 && distinct.len() <= 4) {
        return true;
    }
    let lower = bare.to_ascii_lowercase();
    let steps = |change: i16| {
        let is_step = |pair: &&[u8]| i16::from(pair[1]) - i16::from(pair[0]) == change;
        lower.windows(2).filter(is_step).count()
    };
    // Nobody draws ten equal characters in a row; `A` and `0` are the zeros of encodings.
    let run = bare.chunk_by(|one, other| one == other).filter(|run| !matches!(run[0], b'A' | b'0'));
    if run.map(<[u8]>::len).max().unwrap_or(0) >= 10 {
        return true;
    }
    let is_counting = |change| bare.len() >= 6 && steps(change) * 10 >= (bare.len() - 1) * 7;
    is_counting(1) || is_counting(-1) || is_counting(0)
}

/// `value` without quotes and space around it.
fn trim(value: &[u8]) -> &[u8] {
    let is_wrapping =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';');
    let start = value.iter().position(|byte| !is_wrapping(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_wrapping(byte)).map_or(start, |end| end + 1);
    value.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_instructions_and_rows_are_placeholders() {
        for text in [
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "$(cat /run/secret)",
            "{{ .Values.password }}",
            "<your token>",
            "%PASSWORD%",
            "%(password)s",
            "#{ENV['X']}",
            "@PASSWORD@",
            "__PASSWORD__",
            "[password]",
            "changeme",
            "CHANGE_ME_NOW",
            "your_api_key",
            "xxxxxxxxxxxx",
            "**********",
            "aaaaaaaa",
            "1234567890",
            "abcdefghij",
            "AbCdEfGhIjKl",
            "password",
            "my_password",
            "PASSWORD_FIELD",
            "newPassword",
            "null",
            "os.environ['X']",
            "vault:db#pw",
            "-----------",
            "EXAMPLEKEY",
            "...",
            "getenv(\"X\")",
            ":password",
            "$row->password",
            "$MYSQL_PWD",
        ] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn passwords_and_tokens_are_not() {
        for text in [
            "hunter22",
            "swordfish!23",
            "tG7#mVq2Lz",
            "$tr0ngP4ss",
            "correct-horse-battery",
            "TestSource%Password",
            "3ebf21f8e5d1ab86b27a720842c3bb56",
            "CleartextPassword1",
            "P@ssw0rd",
            "qwer1234",
            "A:J$NL9~6:u",
        ] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }
}
