//! Files that may be proven, and where live credentials are.

use super::image::Image;
use super::roots::{Above, Roots};
use super::volumes::{Node, Volumes};
use crate::filesystem::{Entry, EntryKind, EntryState, Role};

/// Places of live credentials: what lies here is the image's own, whoever brought it. `/` at the end means
/// everything below, otherwise it is the start of a name.
const LIVE: &[&str] = &[
    "/home/",
    "/root/",
    "/var/home/",
    "/var/roothome/",
    "/etc/ssh/",
    "/etc/ssl/private/",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/passwd",
    "/etc/sudoers",
];
/// Places of configuration and data, where a private key is in use and not an example.
const IN_USE: &[&str] = &["/etc/", "/var/", "/srv/", "/run/", "/boot/"];

/// A file that may be proven.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) node: Node,
    pub(super) entry: Entry,
    /// The file system at the root of its system.
    top: usize,
    /// All its names as that system sees them, each with the systems it belongs to.
    names: Vec<(Vec<u8>, Above)>,
}

impl Subject {
    /// `None` for what is no file in use, has no name, or has one in a live place of its own system.
    pub(super) fn new(volumes: &Volumes<'_>, roots: &mut Roots<'_>, node: Node) -> Option<Self> {
        let entry = volumes.entry(node).ok().filter(is_plain)?;
        let names = volumes.filesystem(node).ok()?.paths(node.entry).ok()?.all;
        let (top, mounted) = volumes.top(node.volume);
        let names = names.into_iter().map(|name| {
            let name = [mounted.as_slice(), &name].concat();
            let above = roots.above(top, &name);
            (name, above)
        });
        let subject = Self { node, entry, top, names: names.collect() };
        let innermost = |(name, above): &(Vec<u8>, Above)| {
            let inside = above.first().and_then(|(length, _)| name.get(*length..)).unwrap_or(name);
            lies_in(inside, LIVE) || inside.split(|&byte| byte == b'/').any(|part| part == b".ssh")
        };
        (!subject.names.is_empty() && !subject.names.iter().any(innermost)).then_some(subject)
    }

    /// Whether one of its names lies where private keys are in use in its own system.
    pub(super) fn is_in_use(&self) -> bool {
        let inside = |(name, above): &'_ (Vec<u8>, Above)| -> usize {
            above.first().map_or(0, |(length, _)| name.len().min(*length))
        };
        self.names.iter().any(|name| is_in_use(&[name.0.get(inside(name)..).unwrap_or_default()]))
    }

    /// The systems that it belongs to: path of the root, its file system, the root directory.
    pub(super) fn roots(&self) -> impl Iterator<Item = (&[u8], usize, Node)> {
        let of = |(name, above): &'_ (Vec<u8>, Above)| -> Vec<(usize, usize, Node)> {
            above.iter().map(|(length, node)| (name.len().min(*length), self.top, *node)).collect()
        };
        self.names.iter().flat_map(move |name| {
            let path = name.0.as_slice();
            of(name)
                .into_iter()
                .map(move |(length, top, node)| (path.get(..length).unwrap_or_default(), top, node))
        })
    }

    /// Its names in the system with this root; none where one of them is a live place of that system.
    pub(super) fn names_in(&self, root: Node) -> Vec<&[u8]> {
        let inside = self.names.iter().filter_map(|(name, above)| {
            let (length, _) = above.iter().find(|(_, node)| *node == root)?;
            name.get(*length..)
        });
        let names: Vec<&[u8]> = inside.collect();
        if names.iter().any(|name| lies_in(name, LIVE)) { Vec::new() } else { names }
    }
}

/// Whether one of the names lies where private keys are in use.
pub(super) fn is_in_use(names: &[&[u8]]) -> bool {
    names.iter().any(|name| lies_in(name, IN_USE))
}

fn lies_in(name: &[u8], places: &[&str]) -> bool {
    places.iter().any(|place| name.starts_with(place.as_bytes()))
}

/// Whether this is the directory of a user, or that of all of them.
pub(super) fn is_home(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
    matches!(
        parts.as_slice(),
        [b"root" | b"home"] | [b"home", _] | [b"var", b"home" | b"roothome"] | [b"var", b"home", _]
    )
}

fn is_plain(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && entry.state == EntryState::Allocated && entry.role == Role::Content
}

/// Name and entry of what a file was compiled from: `/usr/…/X.py` for `/usr/…/__pycache__/X.cpython-311.pyc`
/// (PEP 3147).
pub(super) fn source(
    image: &Image<'_>,
    volumes: &Volumes<'_>,
    names: &[&[u8]],
) -> Option<(Vec<u8>, Node, Entry)> {
    names.iter().find_map(|name| {
        let name = python_source(name)?;
        let node = image.resolve(&name).ok()??;
        let entry = volumes.entry(node).ok().filter(is_plain)?;
        Some((name, node, entry))
    })
}

fn python_source(name: &[u8]) -> Option<Vec<u8>> {
    let stem = name.strip_suffix(b".pyc").filter(|name| name.starts_with(b"/usr/"))?;
    let slash = stem.iter().rposition(|&byte| byte == b'/')?;
    let (directory, file) = stem.split_at_checked(slash)?;
    let directory = directory.strip_suffix(b"/__pycache__")?;
    let end = file.windows(9).position(|part| part == b".cpython-")?;
    let module = file.get(..end)?;
    Some([directory, module, b".py"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::EntryId;

    #[test]
    fn compiled_python_names_its_source() {
        let cases: [(&str, Option<&str>); 6] = [
            ("/usr/lib/python3/d/__pycache__/x.cpython-311.pyc", Some("/usr/lib/python3/d/x.py")),
            ("/usr/lib/python3/d/__pycache__/x.cpython-311.opt-2.pyc", Some("/usr/lib/python3/d/x.py")),
            ("/usr/lib/python3/d/x.cpython-311.pyc", None),
            ("/srv/d/__pycache__/x.cpython-311.pyc", None),
            ("/usr/__pycache__/x.pyc", None),
            (".pyc", None),
        ];
        for (name, source) in cases {
            assert_eq!(python_source(name.as_bytes()).as_deref(), source.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn credential_places_are_live_whatever_other_name_a_file_has() {
        let root = Node { volume: 0, entry: EntryId(2) };
        let subject = |names: &[&str]| Subject {
            node: root,
            entry: Entry::default(),
            top: 0,
            names: names.iter().map(|name| (name.as_bytes().to_vec(), vec![(0, root)])).collect(),
        };
        for name in [
            "/home/a/x",
            "/root/.netrc",
            "/etc/ssh/ssh_config",
            "/etc/shadow",
            "/etc/shadow-",
            "/etc/passwd",
            "/etc/sudoers.d/README",
            "/etc/ssl/private/x.key",
        ] {
            assert!(subject(&[name]).names_in(root).is_empty(), "{name}");
            assert!(subject(&["/usr/share/x", name]).names_in(root).is_empty(), "{name}");
        }
        assert_eq!(subject(&["/usr/share/ssh/home/root", "/etc/ssl/openssl.cnf"]).names_in(root).len(), 2);
    }

    #[test]
    fn homes_are_no_systems() {
        for home in ["/root", "/home", "/home/a", "/var/home/a", "/var/roothome"] {
            assert!(is_home(home.as_bytes()), "{home}");
        }
        for other in ["/srv/root", "/home/a/chroot", "/var/lib/x", ""] {
            assert!(!is_home(other.as_bytes()), "{other}");
        }
    }
}
