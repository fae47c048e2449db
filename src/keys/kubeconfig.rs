//! Kubeconfig files: which key logs in to which cluster, as whom.
//!
//! They are read in the block style of YAML that the tools of Kubernetes write, and as JSON; a file in another
//! style gives nothing.

use super::public::private_keys;
use super::{Certificate, KeyFact, PublicKey, Role, certificates, shown};
use std::collections::BTreeMap;

/// Lines of a file that are read.
const LINES_MAX: usize = 20_000;
/// Clusters, users and contexts of a file that are kept, each.
const ITEMS_MAX: usize = 1000;

/// An item of one of the lists: its settings without the levels between.
type Item = BTreeMap<String, String>;

/// A way into a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// Name of the context.
    pub(crate) context: String,
    /// Name of the user in the file.
    pub(crate) user: String,
    /// Address of the cluster.
    pub(crate) server: String,
    /// The certificate in the file, in PEM.
    pub(crate) certificate: Option<Vec<u8>>,
    /// The private key in the file, in PEM.
    pub(crate) key: Option<Vec<u8>>,
    /// Name of the file that holds the certificate.
    pub(crate) certificate_file: Option<String>,
}

/// The logins of a kubeconfig that use a key.
pub(crate) fn logins(content: &[u8]) -> Vec<Login> {
    let Ok(text) = std::str::from_utf8(content) else { return Vec::new() };
    let lists = if text.trim_start().starts_with('{') { json(text) } else { yaml(text) };
    let named = |list: &str, name: &str| {
        let items = lists.get(list)?;
        items.iter().find(|item| item.get("name").map(String::as_str) == Some(name))
    };
    let contexts = lists.get("contexts").map(Vec::as_slice).unwrap_or_default();
    contexts
        .iter()
        .filter_map(|context| {
            let user = context.get("user")?;
            let settings = named("users", user)?;
            let cluster = context.get("cluster").and_then(|name| named("clusters", name));
            let decoded = |name: &str| {
                let text = settings.get(name)?;
                data_encoding::BASE64.decode(text.as_bytes()).ok()
            };
            let login = Login {
                context: context.get("name").cloned().unwrap_or_default(),
                user: user.clone(),
                server: cluster.and_then(|cluster| cluster.get("server")).cloned().unwrap_or_default(),
                certificate: decoded("client-certificate-data"),
                key: decoded("client-key-data"),
                certificate_file: settings.get("client-certificate").cloned(),
            };
            let has_key =
                login.certificate.is_some() || login.key.is_some() || login.certificate_file.is_some();
            has_key.then_some(login)
        })
        .collect()
}

impl Login {
    /// What it says of its key. `file` is the content of [`certificate_file`](Self::certificate_file).
    pub(crate) fn fact(&self, file: Option<&[u8]>) -> Option<KeyFact> {
        let pem = self.certificate.as_deref().or(file);
        let certificate: Option<Certificate> = pem.and_then(|pem| certificates(pem).into_iter().next());
        let own = self.key.as_deref().and_then(|pem| private_keys(pem).into_iter().next());
        let key: PublicKey =
            own.or_else(|| certificate.as_ref().map(|certificate| certificate.key.clone()))?;
        let escaped = |text: &str| shown(text.as_bytes());
        Some(KeyFact {
            accounts: vec![escaped(&self.user)],
            hosts: vec![escaped(&self.server)],
            comment: Some(format!("context {}", escaped(&self.context))),
            subject: certificate.as_ref().map(|certificate| certificate.subject.clone()),
            issuer: certificate.as_ref().map(|certificate| certificate.issuer.clone()),
            valid_until: certificate.and_then(|certificate| certificate.valid_until),
            ..KeyFact::of(Role::Kubeconfig, &key)
        })
    }
}

/// The lists of the file in block style: an item starts with a dash at the indentation of its list's first.
fn yaml(text: &str) -> BTreeMap<String, Vec<Item>> {
    let mut lists: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    let (mut list, mut dash) = (String::new(), None);
    for line in text.lines().take(LINES_MAX) {
        let content = line.trim_start_matches(' ');
        let indentation = line.len().saturating_sub(content.len());
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let item = content.strip_prefix("- ");
        if indentation == 0 && item.is_none() {
            list = content.split(':').next().unwrap_or_default().to_owned();
            dash = None;
            continue;
        }
        let items = lists.entry(list.clone()).or_default();
        if item.is_some() && indentation == *dash.get_or_insert(indentation) && items.len() < ITEMS_MAX {
            items.push(Item::new());
        }
        let (Some(item), Some((name, value))) =
            (items.last_mut(), item.unwrap_or(content).trim().split_once(':'))
        else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        if !value.is_empty() {
            item.entry(name.trim().to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    lists
}

/// The lists of a file in JSON, which is YAML, too.
fn json(text: &str) -> BTreeMap<String, Vec<Item>> {
    let Ok(serde_json::Value::Object(file)) = serde_json::from_str(text) else { return BTreeMap::new() };
    let flat = |value: &serde_json::Value| {
        let mut item = Item::new();
        let levels = value.as_object().into_iter().flatten();
        for (name, value) in levels {
            match value {
                serde_json::Value::String(text) => drop(item.insert(name.clone(), text.clone())),
                serde_json::Value::Object(inner) => item.extend(
                    inner.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))),
                ),
                _ => {}
            }
        }
        item
    };
    file.iter()
        .filter_map(|(name, list)| {
            Some((name.clone(), list.as_array()?.iter().take(ITEMS_MAX).map(flat).collect()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://10.0.0.1:6443\n  name: prod\n\
        contexts:\n- context:\n    cluster: prod\n    user: admin\n  name: admin@prod\nusers:\n- name: admin\n  user:\n\
        \x20   client-certificate-data: YWJj\n    exec:\n      env:\n      - name: X\n        value: y\n- name: other\n  user:\n    token: t\n";

    #[test]
    fn a_context_joins_its_cluster_and_its_user() {
        let expected = Login {
            context: "admin@prod".to_owned(),
            user: "admin".to_owned(),
            server: "https://10.0.0.1:6443".to_owned(),
            certificate: Some(b"abc".to_vec()),
            ..Login::default()
        };
        assert_eq!(logins(YAML.as_bytes()), std::slice::from_ref(&expected));
        let json = r#"{"clusters":[{"name":"prod","cluster":{"server":"https://10.0.0.1:6443"}}],
            "contexts":[{"name":"admin@prod","context":{"cluster":"prod","user":"admin"}}],
            "users":[{"name":"admin","user":{"client-certificate-data":"YWJj"}}]}"#;
        assert_eq!(logins(json.as_bytes()), [expected]);
        for other in ["", "{", "users: [x", "- a\n- b\n", "contexts:\n- x\n"] {
            assert_eq!(logins(other.as_bytes()), [], "{other}");
        }
    }
}
