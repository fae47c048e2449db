//! Which key opens what: the facts of any number of images, joined by the fingerprint of the public key.

use super::{KeyFact, Role};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Facts of one key that are kept; further ones are counted.
const FACTS_MAX: usize = 10_000;

/// Everything known of one key.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KeyNode {
    /// Fingerprint of the public key.
    pub fingerprint: String,
    /// Algorithm.
    pub algorithm: String,
    /// Places that hold the private key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<KeyFact>,
    /// Accounts that the key is let into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<Opening>,
    /// Clusters that the key is let into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<KeyFact>,
    /// Hosts whose identity it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifies: Vec<KeyFact>,
    /// Places that know it as another host's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_by: Vec<KeyFact>,
    /// Certificates for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<KeyFact>,
    /// Places that trust what it has certified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authority_in: Vec<KeyFact>,
    /// Places that hold the public key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<KeyFact>,
    /// Facts above the limit, which are not kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An account that a key opens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Opening {
    /// Image.
    pub image: String,
    /// Account on it.
    pub account: String,
    /// Volume and file that let the key in.
    pub place: String,
    /// Line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Fingerprint of the authority whose certificate lets the key in; absent where the key itself is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_authority: Option<String>,
    /// What limits the use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Comment of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl KeyNode {
    /// Whether a scanned image holds the private key.
    pub fn is_held(&self) -> bool {
        !self.private.is_empty()
    }

    /// Whether it opens an account or a cluster.
    pub fn opens_something(&self) -> bool {
        !self.opens.is_empty() || !self.clusters.is_empty()
    }

    /// The worst first: held and opening, held, opening, the rest.
    fn rank(&self) -> u8 {
        match (self.is_held(), self.opens_something()) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    fn count(&self) -> usize {
        [&self.private, &self.clusters, &self.identifies, &self.known_by, &self.certificates, &self.public]
            .iter()
            .map(|facts| facts.len())
            .sum::<usize>()
            .saturating_add(self.opens.len())
            .saturating_add(self.authority_in.len())
    }
}

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    images: BTreeSet<String>,
    keys: BTreeMap<String, KeyNode>,
}

impl Graph {
    /// Takes note of an image, which may have no key at all; returns the name that tells it from others of the
    /// same name.
    pub fn image(&mut self, name: &str) -> String {
        let numbered = (2_u64..).map(|number| format!("{name} ({number})"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|name| !self.images.contains(name)).unwrap_or_default();
        self.images.insert(free.clone());
        free
    }

    /// Takes one fact.
    pub fn add(&mut self, fact: KeyFact) {
        self.images.insert(fact.image.clone());
        let node = self.keys.entry(fact.fingerprint.clone()).or_default();
        if node.fingerprint.is_empty() {
            (node.fingerprint, node.algorithm) = (fact.fingerprint.clone(), fact.algorithm.clone());
        }
        if node.count() >= FACTS_MAX {
            node.more = node.more.saturating_add(1);
            return;
        }
        match fact.role {
            Role::Private => node.private.push(fact),
            Role::Public => node.public.push(fact),
            Role::Authorized => node.opens.extend(openings(&fact, &fact.accounts, None)),
            Role::Authority => node.authority_in.push(fact),
            Role::Host => node.identifies.push(fact),
            Role::KnownHost => node.known_by.push(fact),
            Role::Certificate => node.certificates.push(fact),
            Role::Kubeconfig => node.clusters.push(fact),
        }
    }

    /// Names of the images, sorted.
    pub fn images(&self) -> impl ExactSizeIterator<Item = &str> {
        self.images.iter().map(String::as_str)
    }

    /// All keys, the worst first, then by fingerprint.
    pub fn finish(self) -> Vec<KeyNode> {
        let authorities: BTreeMap<String, Vec<KeyFact>> =
            self.keys.iter().map(|(name, node)| (name.clone(), node.authority_in.clone())).collect();
        let mut nodes: Vec<KeyNode> = self.keys.into_values().collect();
        for node in &mut nodes {
            certified(node, &authorities);
            node.opens.sort();
            node.opens.dedup();
        }
        nodes.sort_by(|one, other| (one.rank(), &one.fingerprint).cmp(&(other.rank(), &other.fingerprint)));
        nodes
    }
}

/// Adds the accounts that a key opens because an authority that is trusted there has certified it.
fn certified(node: &mut KeyNode, authorities: &BTreeMap<String, Vec<KeyFact>>) {
    let mut more = Vec::new();
    for certificate in &node.certificates {
        let Some(authority) = &certificate.authority else { continue };
        for trusting in authorities.get(authority).into_iter().flatten() {
            // Without principals of its own, a trusting account takes certificates that name the account.
            let fits = |account: &&String| {
                let names = &certificate.principals;
                let is_named = if trusting.principals.is_empty() {
                    names.contains(account)
                } else {
                    names.iter().any(|name| trusting.principals.contains(name))
                };
                names.is_empty() || is_named
            };
            let accounts: Vec<String> = trusting.accounts.iter().filter(fits).cloned().collect();
            more.extend(openings(trusting, &accounts, Some(authority)));
        }
    }
    node.opens.extend(more);
}

fn openings<'a>(
    fact: &'a KeyFact,
    accounts: &'a [String],
    authority: Option<&'a String>,
) -> impl Iterator<Item = Opening> + 'a {
    accounts.iter().map(move |account| Opening {
        image: fact.image.clone(),
        account: account.clone(),
        place: format!("{}:{}", fact.volume, fact.path.as_deref().unwrap_or_default()),
        line: fact.line,
        by_authority: authority.cloned(),
        limits: fact.limits.clone(),
        comment: fact.comment.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(role: Role, key: &str, image: &str, account: &str) -> KeyFact {
        KeyFact {
            role,
            fingerprint: key.to_owned(),
            image: image.to_owned(),
            accounts: vec![account.to_owned()],
            ..KeyFact::default()
        }
    }

    #[test]
    fn a_key_of_one_image_opens_accounts_of_another() {
        let mut graph = Graph::default();
        graph.add(fact(Role::KnownHost, "c", "a.raw", "u"));
        graph.add(fact(Role::Private, "b", "a.raw", "u"));
        graph.add(fact(Role::Private, "a", "a.raw", "deploy"));
        graph.add(fact(Role::Authorized, "a", "b.raw", "root"));
        let nodes = graph.finish();
        let order: Vec<&str> = nodes.iter().map(|node| node.fingerprint.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!((nodes[0].opens[0].image.as_str(), nodes[0].opens[0].account.as_str()), ("b.raw", "root"));
    }

    #[test]
    fn a_certificate_opens_the_accounts_that_it_names() {
        let mut graph = Graph::default();
        let mut certificate = fact(Role::Certificate, "a", "a.raw", "");
        certificate.authority = Some("ca".to_owned());
        certificate.principals = vec!["deploy".to_owned()];
        graph.add(certificate);
        graph.add(fact(Role::Authority, "ca", "b.raw", "root"));
        graph.add(fact(Role::Authority, "ca", "b.raw", "deploy"));
        let nodes = graph.finish();
        let key = nodes.iter().find(|node| node.fingerprint == "a").unwrap();
        let accounts: Vec<&str> = key.opens.iter().map(|opening| opening.account.as_str()).collect();
        assert_eq!(accounts, ["deploy"]);
        assert_eq!(key.opens[0].by_authority.as_deref(), Some("ca"));
    }
}
