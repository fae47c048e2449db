//! The credentials of HTTP Basic (RFC 7617): base64 of a user, a colon, and a password.

use super::placeholder;
use super::{Change, Ruling, Subject, Validator};
use crate::detect::walk::decode_base64;

pub(super) const VALIDATOR: Validator = Validator { name: "basic-credentials", check };

fn check(subject: &Subject<'_>) -> Ruling {
    match user(subject.secret()) {
        Some(user) => {
            Ruling::Amend(Change::default().with(format!("user: {}", super::private_key::printable(&user))))
        }
        None => Ruling::Reject,
    }
}

/// The user, where there is a password that is none of a manual's.
fn user(secret: &[u8]) -> Option<String> {
    let text = String::from_utf8(decode_base64(secret)?).ok()?;
    let (user, password) = text.split_once(':')?;
    let is_text = !text.chars().any(char::is_control);
    let is_known = |part: &str| placeholder::is_placeholder(part.as_bytes());
    // A token may stand alone before or behind the colon.
    let is_example = is_known(password) && (user.len() < 16 || is_known(user));
    // JSON has colons, too.
    let is_name = !user.contains(['{', '}', '"']);
    (is_text && is_name && !is_example).then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_and_a_password_are_credentials() {
        assert_eq!(user(b"c2hvcDp2VDdxTHo4MXdR").as_deref(), Some("shop"));
        // `user:password`, `{"alg":…}` and bytes.
        for text in ["dXNlcjpwYXNzd29yZA==", "eyJhbGciOiJIUzI1NiJ9", "AAECAwQFBgcICQ=="] {
            assert_eq!(user(text.as_bytes()), None, "{text}");
        }
    }
}
