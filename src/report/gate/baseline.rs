//! What an earlier scan had, by place and by secret.

use crate::finding::{Baseline, Finding};
use std::collections::BTreeSet;

/// The findings of an earlier scan, a few bytes each.
#[derive(Debug, Default)]
pub struct Earlier {
    places: BTreeSet<u128>,
    secrets: BTreeSet<u128>,
}

/// Where a finding lies, without offsets: text that moves inside its file stays the same finding. What has
/// neither path nor inode is told by its state.
pub(super) fn place_key(finding: &Finding) -> u128 {
    let place = &finding.place;
    let has_name = place.path.is_some();
    let inode = place.inode.filter(|_| !has_name).map(|inode| inode.to_string());
    let state = place.state.map(|state| format!("{state:?}"));
    hash(&[
        Some(&finding.rule),
        Some(&place.volume),
        place.path.as_ref(),
        inode.as_ref(),
        place.stream.as_ref(),
        place.member.as_ref(),
        state.as_ref(),
        finding.fingerprint.as_ref(),
    ])
}

/// The secret, wherever it lies and whichever rule found it.
pub(super) fn secret_key(finding: &Finding) -> Option<u128> {
    let fingerprint = finding.fingerprint.as_ref()?;
    Some(hash(&[Some(fingerprint)]))
}

fn hash(parts: &[Option<&String>]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&[u8::from(part.is_some())]);
        hasher.update(part.map(String::as_bytes).unwrap_or_default());
        hasher.update(&[0]);
    }
    hasher.finalize().as_bytes().first_chunk().map_or(0, |first| u128::from_le_bytes(*first))
}

impl Earlier {
    /// Takes a finding of the earlier scan.
    pub fn add(&mut self, finding: &Finding) {
        self.places.insert(place_key(finding));
        self.secrets.extend(secret_key(finding));
    }

    /// How a finding stands to the earlier scan: known where the same secret lay in the same place.
    pub fn judge(&self, finding: &Finding) -> Baseline {
        if self.places.contains(&place_key(finding)) { Baseline::Known } else { Baseline::New }
    }

    /// Whether the earlier scan had the same secret anywhere.
    pub fn has_secret(&self, finding: &Finding) -> bool {
        secret_key(finding).is_some_and(|key| self.secrets.contains(&key))
    }

    /// Whether the earlier scan had the same finding in the same place.
    pub fn has_place(&self, finding: &Finding) -> bool {
        self.places.contains(&place_key(finding))
    }
}
