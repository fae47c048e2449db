//! Public keys that let someone in: `authorized_keys` (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

use super::private_key::position;
use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::keys::AuthorizedKey;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "authorized_keys",
    cases: &["root", "refused"],
    build: |table| Ok(Box::new(parameters::<AuthorizedKeys>(table)?)),
};

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizedKeys {}

impl Condition for AuthorizedKeys {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let administrators = hit.name().eq_ignore_ascii_case(b"administrators_authorized_keys");
        let is_root = administrators || hit.home.is_some_and(|home| home.is_root);
        for line in lines(&hit.content()?.bytes) {
            let Some(key) = AuthorizedKey::of(line.bytes) else { continue };
            // cloud-init keeps the key but answers with a sentence instead of a shell.
            let is_refused = position(key.options, b"Please login as").is_some();
            let case = match (is_refused, is_root) {
                (true, _) => Some("refused"),
                (false, true) => Some("root"),
                (false, false) => None,
            };
            let mut evidence = vec![format!("algorithm: {}", key.key.algorithm())];
            evidence.extend(key.key.bits().map(|bits| format!("bits: {bits}")));
            if !key.comment.is_empty() {
                evidence.push(format!("comment: {}", shown(key.comment)));
            }
            // A forced command or a variable may hold a secret, so that only the options' names are shown.
            let names = key.fact().limits;
            if !names.is_empty() {
                evidence.push(format!("options: {}", names.join(", ")));
            }
            let detail = key.comment.to_vec();
            out.push(Found { case, detail, place: Some(line.place()), evidence, ..Found::default() });
        }
        Ok(())
    }
}
