//! Where systems keep public keys: SSH's directories, certificates, kubeconfig files.

use super::files::{FILE_MAX, Files, Text};
use super::{Origin, Sighting, Traces};
use crate::filesystem::{EntryKind, StreamName};
use crate::keys::{Certificate, KeyFact, Role, authorized, certificates, known_host, logins};
use crate::leftover::Source;
use crate::leftover::lines::lines;
use crate::leftover::survey::Site;
use crate::leftover::system::{Os, User};
use crate::leftover::tree::join;
use crate::location::escape;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Directories below which certificates are looked for.
const CERTIFICATE_TREES: [&[u8]; 14] = [
    b"/etc/apache2",
    b"/etc/docker",
    b"/etc/etcd",
    b"/etc/haproxy",
    b"/etc/httpd",
    b"/etc/ipsec.d",
    b"/etc/kubernetes",
    b"/etc/letsencrypt",
    b"/etc/nginx",
    b"/etc/openvpn",
    b"/etc/pki/tls",
    b"/etc/postgresql",
    b"/etc/ssl",
    b"/var/lib/kubelet/pki",
];
/// Levels below each of them.
const DEPTH_MAX: usize = 4;
/// Kubeconfig files of a system.
const KUBECONFIGS: [&[u8]; 8] = [
    b"/etc/kubernetes/admin.conf",
    b"/etc/kubernetes/controller-manager.conf",
    b"/etc/kubernetes/kubelet.conf",
    b"/etc/kubernetes/scheduler.conf",
    b"/etc/kubernetes/super-admin.conf",
    b"/etc/rancher/k3s/k3s.yaml",
    b"/etc/rancher/rke2/rke2.yaml",
    b"/var/lib/kubelet/kubeconfig",
];
/// Accounts that one line can be about.
const ACCOUNTS_MAX: usize = 1000;

/// A home directory and whose it is.
pub(super) struct Place {
    /// Seen path.
    pub(super) path: Vec<u8>,
    /// Its users.
    pub(super) accounts: Vec<Vec<u8>>,
}

/// The homes of a site, each once, with all users that have it.
pub(super) fn homes(site: &Site<'_>, files: &mut Files<'_, '_>) -> Vec<Place> {
    if site.system.os.is_none() {
        // A volume that looks like `/home` has a home in each of its directories.
        if site.prefix != [b"home".to_vec()] {
            return Vec::new();
        }
        let names = files.names(b"/").into_iter().filter(|(_, may_be_directory)| *may_be_directory);
        return names.map(|(name, _)| Place { path: join(b"/", &name), accounts: vec![name] }).collect();
    }
    let of = |path: &[u8]| -> Vec<Vec<u8>> {
        let own = site
            .system
            .users
            .iter()
            .filter(|user| user.home.strip_suffix(b"/").unwrap_or(&user.home) == path);
        own.map(|user| user.name.clone()).take(ACCOUNTS_MAX).collect()
    };
    let homes = site.system.homes.iter().filter(|home| home.path != b"/");
    homes
        .map(|home| {
            let mut accounts = of(&home.path);
            if accounts.is_empty() {
                let last = || home.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
                accounts.push(home.user.clone().unwrap_or_else(last));
            }
            Place { path: home.path.clone(), accounts }
        })
        .collect()
}

/// Collects what a site says of keys.
pub(super) fn gather(site: &Site<'_>, files: &mut Files<'_, '_>, out: &mut Traces) {
    let homes = homes(site, files);
    let mut gather = Gather { site, out, seen: BTreeSet::new() };
    for home in &homes {
        gather.home(home, files);
    }
    gather.sshd(files);
    gather.hosts(files);
    gather.clusters(&homes, files);
    for tree in CERTIFICATE_TREES {
        gather.certificates(tree, DEPTH_MAX, files);
    }
}

/// A site being gathered.
struct Gather<'g, 'a> {
    site: &'g Site<'a>,
    out: &'g mut Traces,
    /// Lines that have been taken; a file may be named by several settings.
    seen: BTreeSet<(usize, u64, Option<u64>, Role)>,
}

impl Gather<'_, '_> {
    fn take(&mut self, origin: &Origin, line: Option<u64>, fact: KeyFact) {
        if self.seen.insert((origin.source, origin.entry.0, line, fact.role)) {
            self.out.keys.push(Sighting { origin: Origin { line, ..origin.clone() }, fact });
        }
    }

    fn home(&mut self, home: &Place, files: &mut Files<'_, '_>) {
        let ssh = join(&home.path, b".ssh");
        for name in [b"authorized_keys".as_slice(), b"authorized_keys2"] {
            if let Some(text) = files.read(&join(&ssh, name)) {
                self.authorized(&text, &home.accounts);
            }
        }
        for text in files.within(&ssh, |name| name.starts_with(b"known_hosts")) {
            self.known_hosts(&text, &home.accounts);
        }
        for text in files.within(&ssh, |name| name.ends_with(b".pub")) {
            self.public(&text, &home.accounts);
        }
    }

    /// Lines that let keys into `accounts`.
    fn authorized(&mut self, text: &Text, accounts: &[Vec<u8>]) {
        for line in lines(&text.bytes) {
            let Some(mut fact) = authorized(line.bytes) else { continue };
            if fact.role == Role::Public {
                fact.role = Role::Authorized;
            }
            fact.accounts = names(accounts);
            let users = &self.site.system.users;
            let user = |name: &Vec<u8>| users.iter().find(|user| user.name == *name);
            if !accounts.is_empty() && accounts.iter().all(|name| user(name).is_some_and(|u| !u.can_log_in()))
            {
                fact.limits.push("account without a shell".to_owned());
            }
            self.take(&text.origin, Some(line.number), fact);
        }
    }

    fn known_hosts(&mut self, text: &Text, accounts: &[Vec<u8>]) {
        for line in lines(&text.bytes) {
            let Some(mut fact) = known_host(line.bytes) else { continue };
            if fact.role == Role::KnownHost {
                fact.accounts = names(accounts);
            }
            self.take(&text.origin, Some(line.number), fact);
        }
    }

    /// Lines of a file that holds public keys and certificates.
    fn public(&mut self, text: &Text, accounts: &[Vec<u8>]) {
        for line in lines(&text.bytes) {
            if let Some(fact) = authorized(line.bytes) {
                let fact = KeyFact { accounts: names(accounts), ..fact };
                self.take(&text.origin, Some(line.number), fact);
            }
        }
    }

    /// What the server's configuration names: further files of keys, and authorities.
    fn sshd(&mut self, files: &mut Files<'_, '_>) {
        let mut texts: Vec<Text> = files.read(b"/etc/ssh/sshd_config").into_iter().collect();
        texts.extend(files.within(b"/etc/ssh/sshd_config.d", |name| name.ends_with(b".conf")));
        let users: Vec<User> = self.site.system.users.iter().take(ACCOUNTS_MAX).cloned().collect();
        for (setting, path) in texts.iter().flat_map(|text| settings(&text.bytes)) {
            match setting {
                Setting::Authority => {
                    let Some(text) = files.read(&path) else { continue };
                    let open: Vec<Vec<u8>> =
                        users.iter().filter(|user| user.can_log_in()).map(|user| user.name.clone()).collect();
                    for line in lines(&text.bytes) {
                        let Some(fact) = authorized(line.bytes) else { continue };
                        let fact = KeyFact { role: Role::Authority, accounts: names(&open), ..fact };
                        self.take(&text.origin, Some(line.number), fact);
                    }
                }
                Setting::Keys => {
                    for user in &users {
                        if let Some(text) = files.read(&expand(&path, user)) {
                            let shared = !path.contains(&b'%') && path.starts_with(b"/");
                            let all: Vec<Vec<u8>> = users.iter().map(|user| user.name.clone()).collect();
                            let own = [user.name.clone()];
                            self.authorized(&text, if shared { &all } else { &own });
                        }
                    }
                }
            }
        }
        for text in files.within(b"/etc/ssh/authorized_keys", |_| true) {
            let name = text.origin.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
            self.authorized(&text, &[name]);
        }
        if let Some(text) = files.read(b"/ProgramData/ssh/administrators_authorized_keys")
            && self.site.system.os == Some(Os::Windows)
        {
            self.authorized(&text, &[b"Administrators".to_vec()]);
        }
    }

    /// The host's own keys and what it knows of others.
    fn hosts(&mut self, files: &mut Files<'_, '_>) {
        let hostname = files.read(b"/etc/hostname").map(|text| escape(text.bytes.trim_ascii()));
        for directory in [b"/etc/ssh".as_slice(), b"/ProgramData/ssh"] {
            for text in files.within(directory, |name| name.ends_with(b".pub")) {
                for line in lines(&text.bytes) {
                    let Some(fact) = authorized(line.bytes) else { continue };
                    let is_host = text.origin.path.windows(5).any(|part| part == b"host_");
                    let role = if fact.role == Role::Public && is_host { Role::Host } else { fact.role };
                    let hosts =
                        if is_host { hostname.clone().into_iter().collect() } else { fact.hosts.clone() };
                    self.take(&text.origin, Some(line.number), KeyFact { role, hosts, ..fact });
                }
            }
            if let Some(text) = files.read(&join(directory, b"ssh_known_hosts")) {
                self.known_hosts(&text, &[]);
            }
        }
    }

    fn clusters(&mut self, homes: &[Place], files: &mut Files<'_, '_>) {
        let own = homes.iter().map(|home| join(&join(&home.path, b".kube"), b"config"));
        let paths: Vec<Vec<u8>> = own.chain(KUBECONFIGS.iter().map(|path| path.to_vec())).collect();
        for path in paths {
            let Some(text) = files.read(&path) else { continue };
            for (login, number) in logins(&text.bytes).into_iter().zip(1_u64..) {
                let near = login.certificate_file.as_deref().map(|name| {
                    let directory = path.rsplitn(2, |&byte| byte == b'/').nth(1).unwrap_or_default();
                    if name.starts_with('/') { name.into() } else { join(directory, name.as_bytes()) }
                });
                let certificate = near.and_then(|path: Vec<u8>| files.read(&path));
                let fact = login.fact(certificate.as_ref().map(|text| text.bytes.as_slice()));
                if let Some(fact) = fact
                    && self.seen.insert((text.origin.source, text.origin.entry.0, Some(number), fact.role))
                {
                    self.out.keys.push(Sighting { origin: text.origin.clone(), fact });
                }
            }
        }
    }

    fn certificates(&mut self, directory: &[u8], depth: usize, files: &mut Files<'_, '_>) {
        for text in files.within(directory, is_certificate_name) {
            for fact in certified(&text.bytes) {
                let place = &text.origin;
                self.out.keys.push(Sighting { origin: place.clone(), fact });
            }
        }
        let Some(depth) = depth.checked_sub(1) else { return };
        for (name, may_be_directory) in files.names(directory) {
            if may_be_directory {
                self.certificates(&join(directory, &name), depth, files);
            }
        }
    }
}

/// What a setting of `sshd_config` names.
enum Setting {
    Keys,
    Authority,
}

/// The settings of `sshd_config` (sshd_config(5)) that name files of keys.
fn settings(config: &[u8]) -> Vec<(Setting, Vec<u8>)> {
    let mut out = Vec::new();
    for line in lines(config) {
        let text = line.bytes.trim_ascii();
        let mut words = text
            .split(|byte| byte.is_ascii_whitespace() || *byte == b'=')
            .filter(|word| !word.is_empty())
            .map(|word| word.strip_prefix(b"\"").unwrap_or(word))
            .map(|word| word.strip_suffix(b"\"").unwrap_or(word));
        let Some(name) = words.next() else { continue };
        if name.eq_ignore_ascii_case(b"TrustedUserCAKeys") {
            out.extend(words.map(|path| (Setting::Authority, path.to_vec())));
        } else if name.eq_ignore_ascii_case(b"AuthorizedKeysFile") {
            out.extend(words.map(|path| (Setting::Keys, path.to_vec())));
        }
    }
    out
}

/// `%h` is the home, `%u` the name of a user; a relative path starts in the home.
fn expand(path: &[u8], user: &User) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, (byte == b'%').then(|| bytes.next()).flatten()) {
            (b'%', Some(b'h')) => out.extend_from_slice(&user.home),
            (b'%', Some(b'u')) => out.extend_from_slice(&user.name),
            (b'%', Some(&other)) => out.push(other),
            _ => out.push(byte),
        }
    }
    if out.starts_with(b"/") { out } else { join(&user.home, &out) }
}

fn names(accounts: &[Vec<u8>]) -> Vec<String> {
    accounts.iter().take(ACCOUNTS_MAX).map(|name| escape(name)).collect()
}

fn is_certificate_name(name: &[u8]) -> bool {
    [b".crt".as_slice(), b".pem", b".cer", b".cert"].iter().any(|end| name.ends_with(end))
}

/// The certificates of a file, without the roots that systems trust: those name no host and have no issuer.
fn certified(content: &[u8]) -> Vec<KeyFact> {
    let is_root =
        |certificate: &Certificate| certificate.hosts.is_empty() && certificate.subject == certificate.issuer;
    let fact = |certificate: Certificate| KeyFact {
        subject: Some(certificate.subject),
        issuer: Some(certificate.issuer),
        hosts: certificate.hosts,
        valid_until: certificate.valid_until,
        ..KeyFact::of(Role::Certificate, &certificate.key)
    };
    certificates(content).into_iter().filter(|certificate| !is_root(certificate)).map(fact).collect()
}

/// Collects public keys and certificates from the directories of files with a private key.
pub(super) fn gather_beside(sources: &[Source], beside: &[(usize, Vec<u8>)], out: &mut Traces) {
    let known: BTreeSet<(usize, u64)> =
        out.keys.iter().map(|key| (key.origin.source, key.origin.entry.0)).collect();
    let directory = |path: &[u8]| {
        let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        path.get(..end.max(1)).unwrap_or(b"/").to_vec()
    };
    let places: BTreeSet<(usize, Vec<u8>)> =
        beside.iter().map(|(source, path)| (*source, directory(path))).collect();
    for (index, directory) in places {
        let Some(filesystem) = sources.get(index).map(|source| source.filesystem.as_ref()) else { continue };
        let Ok(id) = filesystem.find(&directory) else { continue };
        let mut names = Vec::new();
        // What a damaged directory still names is looked at; the damage is reported by the walk.
        let listed = filesystem.list(id, &mut |child| {
            let wanted = child.name.ends_with(b".pub") || is_certificate_name(&child.name);
            if wanted && matches!(child.kind, EntryKind::File | EntryKind::Unknown) {
                names.push((child.name, child.id));
            }
            if names.len() < ACCOUNTS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let _ = listed;
        names.sort();
        for (name, id) in names.into_iter().filter(|(_, id)| !known.contains(&(index, id.0))) {
            let content = filesystem.entry(id).and_then(|entry| {
                let content = filesystem.open(&entry, &StreamName::Data)?;
                let length = usize::try_from(content.size().min(FILE_MAX)).unwrap_or(0);
                crate::io::read_vec(content.as_ref(), 0, length)
            });
            let Ok(content) = content else { continue };
            let origin = Origin { source: index, entry: id, path: join(&directory, &name), line: None };
            let mut facts = certified(&content);
            facts.extend(lines(&content).take(ACCOUNTS_MAX).filter_map(|line| authorized(line.bytes)));
            out.keys.extend(facts.into_iter().map(|fact| Sighting { origin: origin.clone(), fact }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_server_name_files_for_each_user() {
        let config =
            b"# x\nAuthorizedKeysFile .ssh/authorized_keys \"/etc/keys/%u\"\ntrustedusercakeys=/etc/ca.pub\n";
        let paths: Vec<Vec<u8>> = settings(config).into_iter().map(|(_, path)| path).collect();
        assert_eq!(
            paths,
            [b".ssh/authorized_keys".to_vec(), b"/etc/keys/%u".to_vec(), b"/etc/ca.pub".to_vec()]
        );
        let user = User { name: b"u".to_vec(), uid: None, home: b"/home/u".to_vec(), shell: Vec::new() };
        assert_eq!(expand(b"%h/k%%%u", &user), b"/home/u/k%u");
        assert_eq!(expand(b".ssh/a", &user), b"/home/u/.ssh/a");
    }
}
