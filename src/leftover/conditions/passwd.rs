//! Accounts in `/etc/passwd` (passwd(5)).

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use crate::leftover::system::{User, users};
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "passwd",
    cases: &["distribution"],
    build: |table| Ok(Box::new(parameters::<Passwd>(table)?)),
};

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwd {
    /// What counts.
    want: Want,
    /// Users that distributions make for the first login.
    #[serde(default)]
    expected: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Want {
    /// People who can log in.
    People,
    /// User id 0 under another name than root.
    Zero,
    /// An empty password field: no password is asked for.
    Empty,
}

impl Condition for Passwd {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.content()?;
        for line in lines(&content.bytes) {
            for user in users(line.bytes) {
                let is_empty = line.bytes.split(|&byte| byte == b':').nth(1).is_some_and(<[u8]>::is_empty);
                if let Some(case) = self.counts(hit, &user, is_empty) {
                    let found = describe(&user);
                    out.push(Found { case, place: Some(line.place()), ..found });
                }
            }
        }
        Ok(())
    }
}

impl Passwd {
    /// Whether the user counts, and as which case.
    fn counts(&self, hit: &Hit<'_>, user: &User, is_empty: bool) -> Option<Option<&'static str>> {
        // A line of the network information service takes users from elsewhere.
        if user.name.starts_with(b"+") || user.name.starts_with(b"-") {
            return None;
        }
        match self.want {
            Want::Zero => (user.uid == Some(0) && user.name != b"root").then_some(None),
            Want::Empty => (is_empty && user.can_log_in()).then_some(None),
            Want::People => {
                let is_person = user.uid.is_some_and(|uid| hit.system.people.contains(&uid));
                let is_expected = self.expected.iter().any(|name| name.as_bytes() == user.name);
                (is_person && user.can_log_in()).then_some(is_expected.then_some("distribution"))
            }
        }
    }
}

fn describe(user: &User) -> Found {
    let shell: &[u8] = if user.shell.is_empty() { b"/bin/sh" } else { &user.shell };
    let uid = user.uid.map_or_else(|| "not a number".to_owned(), |uid| uid.to_string());
    let evidence = vec![
        format!("user: {}", shown(&user.name)),
        format!("uid: {uid}"),
        format!("home: {}", shown(&user.home)),
        format!("shell: {}", shown(shell)),
    ];
    Found { detail: user.name.clone(), evidence, ..Found::default() }
}
