//! Passwords in `/etc/shadow` (shadow(5)), its backups, and `/etc/passwd` of old systems.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "shadow",
    cases: &["root", "locked", "nologin"],
    build: |table| Ok(Box::new(parameters::<Shadow>(table)?)),
};

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shadow {
    /// What counts.
    want: Want,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Want {
    /// Any password hash.
    Hash,
    /// An empty password field.
    Empty,
    /// A hash that is quick to break.
    Weak,
}

/// What stands in the second field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Password<'a> {
    /// Nothing: no password is asked for.
    Empty,
    /// A mark that no password fits.
    Locked,
    /// A hash that crypt(5) knows.
    Hash {
        /// Name of the scheme.
        scheme: &'static str,
        /// Whether it is quick to break.
        weak: bool,
        /// Whether a mark in front keeps it from being used.
        locked: bool,
        /// The hash without the mark.
        hash: &'a [u8],
    },
}

impl<'a> Password<'a> {
    /// Reads the field.
    pub(super) fn parse(field: &'a [u8]) -> Self {
        if field.is_empty() {
            return Self::Empty;
        }
        let hash = strip_lock(field);
        match scheme(hash) {
            Some((scheme, weak)) => Self::Hash { scheme, weak, locked: hash.len() < field.len(), hash },
            None => Self::Locked,
        }
    }
}

/// The field without the marks that lock it: `!`, `!!`, `*`, `*LK*` in front of a hash.
fn strip_lock(field: &[u8]) -> &[u8] {
    let field = field.strip_prefix(b"*LK*").unwrap_or(field);
    let marks = field.iter().take_while(|&&byte| matches!(byte, b'!' | b'*')).count();
    field.get(marks..).unwrap_or_default()
}

/// Prefixes of crypt(5), name, and whether the scheme is quick to break.
const SCHEMES: &[(&str, &str, bool)] = &[
    ("$y$", "yescrypt", false),
    ("$gy$", "gost-yescrypt", false),
    ("$7$", "scrypt", false),
    ("$2a$", "bcrypt", false),
    ("$2b$", "bcrypt", false),
    ("$2x$", "bcrypt", true),
    ("$2y$", "bcrypt", false),
    ("$6$", "sha512crypt", false),
    ("$5$", "sha256crypt", false),
    ("$sha1$", "sha1crypt", true),
    ("$md5", "SunMD5", true),
    ("$1$", "md5crypt", true),
    ("$3$", "NT", true),
    ("$apr1$", "apr1", true),
];

fn scheme(hash: &[u8]) -> Option<(&'static str, bool)> {
    for (prefix, name, weak) in SCHEMES {
        if let Some(rest) = hash.strip_prefix(prefix.as_bytes()) {
            // A salt alone, as some tools leave behind, is no hash.
            return (rest.len() >= 13).then_some((*name, *weak));
        }
    }
    let is_base64 =
        |bytes: &[u8]| bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'));
    match hash {
        [b'_', rest @ ..] if rest.len() == 19 && is_base64(rest) => Some(("bsdicrypt", true)),
        des if des.len() == 13 && is_base64(des) => Some(("descrypt", true)),
        _ => None,
    }
}

impl Condition for Shadow {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.content()?;
        for line in lines(&content.bytes) {
            let mut fields = line.bytes.split(|&byte| byte == b':');
            let (Some(name), Some(field)) = (fields.next(), fields.next()) else { continue };
            if name.is_empty() || name.starts_with(b"#") {
                continue;
            }
            let changed = fields.next().unwrap_or_default();
            if let Some(mut found) = self.read(hit, name, field, changed) {
                found.place = Some(line.place());
                out.push(found);
            }
        }
        Ok(())
    }
}

impl Shadow {
    fn read(&self, hit: &Hit<'_>, name: &[u8], field: &[u8], changed: &[u8]) -> Option<Found> {
        let mut evidence = vec![format!("user: {}", shown(name))];
        let can_log_in = hit.system.user(name).is_none_or(|user| user.can_log_in());
        let (case, secret) = match (self.want, Password::parse(field)) {
            (Want::Empty, Password::Empty) => {
                evidence.push("password field: empty".to_owned());
                ((!can_log_in).then_some("nologin"), None)
            }
            (Want::Hash, Password::Hash { scheme, locked, hash, .. }) => {
                evidence.push(format!("scheme: {scheme}"));
                if locked {
                    evidence.push("locked: the hash is kept behind a lock mark".to_owned());
                }
                let root = (name == b"root").then_some("root");
                (if locked { Some("locked") } else { root }, Some(hash))
            }
            (Want::Weak, Password::Hash { scheme, weak: true, hash, .. }) => {
                evidence.push(format!("scheme: {scheme}"));
                (None, Some(hash))
            }
            _ => return None,
        };
        if let Some(date) = changed_on(changed) {
            evidence.push(format!("password changed: {date}"));
        }
        if hit.system.user(name).is_none() && !hit.system.users.is_empty() {
            evidence.push("account: not in /etc/passwd".to_owned());
        }
        let secret = secret.map(<[u8]>::to_vec);
        Some(Found { case, detail: name.to_vec(), evidence, secret, ..Found::default() })
    }
}

/// Days since 1970 as a date.
fn changed_on(field: &[u8]) -> Option<String> {
    let days: i64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    let seconds = days.checked_mul(86_400).filter(|seconds| *seconds > 0)?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    time.to_string().split('T').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = Option<(&'static str, bool, bool)>;

    #[test]
    fn a_field_is_empty_locked_or_a_hash() {
        let hash = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/";
        let locked = format!("!{hash}");
        let cases: [(&str, Expected); 14] = [
            (hash, Some(("sha512crypt", false, false))),
            (&locked, Some(("sha512crypt", false, true))),
            ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", Some(("md5crypt", true, false))),
            ("rl.3StKT.4T8M", Some(("descrypt", true, false))),
            (
                "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
                Some(("yescrypt", false, false)),
            ),
            ("!", None),
            ("!!", None),
            ("*", None),
            ("!*", None),
            ("*LK*", None),
            ("x", None),
            ("NP", None),
            ("$6$", None),
            ("!locked", None),
        ];
        for (field, expected) in cases {
            let found = match Password::parse(field.as_bytes()) {
                Password::Hash { scheme, weak, locked, .. } => Some((scheme, weak, locked)),
                Password::Locked => None,
                Password::Empty => panic!("{field} is not empty"),
            };
            assert_eq!(found, expected, "{field}");
        }
        assert_eq!(Password::parse(b""), Password::Empty);
        assert_eq!(changed_on(b"19000").as_deref(), Some("2022-01-08"));
    }
}
