//! Debian's dpkg: `status` with the configuration files, `info/*.md5sums`, `diversions` (deb-md5sums(5),
//! dpkg(1), dpkg-divert(1), deb822(5)).

use super::Database;
use super::digest::Digest;
use super::image::Image;
use super::wanted::{Wanted, package};
use crate::error::Result;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const DATABASE: Database = Database { marks: &[b"/var/lib/dpkg/status"], read };

/// Packages, diversions, and configuration files of one package, that are kept; a large system has some
/// thousands of each.
const KEPT_MAX: usize = 100_000;

fn read(image: &Image<'_>, wanted: &mut Wanted<'_>) -> Result<()> {
    let Some(status) = image.read(b"/var/lib/dpkg/status")? else { return Ok(()) };
    // Without its diversions, a diverted file is looked for at its own path and its digest tells.
    let diversions = image.read(b"/var/lib/dpkg/diversions").ok().flatten().unwrap_or_default();
    let diversions = Diversions::parse(&diversions);
    let mut packages = Packages::default();
    stanzas(&status, &mut |stanza| {
        if stanza.status.is_some_and(is_unpacked)
            && let Some(shown) = package(stanza.package, stanza.version)
        {
            packages.add(stanza, &shown);
            for (path, digest) in stanza.conffiles.iter().filter_map(|line| conffile(line)) {
                wanted.offer(diversions.real(stanza.package, path), digest, &shown);
            }
        }
    });
    for (name, id) in image.names(b"/var/lib/dpkg/info")? {
        let Some(name) = name.strip_suffix(b".md5sums") else { continue };
        let Some((name, shown)) = packages.get(name) else { continue };
        // One damaged list says nothing of the others.
        let Ok(text) = image.read_entry(id) else { continue };
        if !md5sums(&text, &mut |path, digest| wanted.offer(diversions.real(name, path), digest, shown)) {
            break;
        }
    }
    Ok(())
}

/// A paragraph of `status`.
#[derive(Debug, Default)]
pub(super) struct Stanza<'t> {
    pub(super) package: &'t [u8],
    pub(super) version: &'t [u8],
    pub(super) status: Option<&'t [u8]>,
    architecture: &'t [u8],
    conffiles: Vec<&'t [u8]>,
}

/// Visits the paragraphs of a control file.
pub(super) fn stanzas<'t>(text: &'t [u8], visit: &mut dyn FnMut(&Stanza<'t>)) {
    let mut stanza = Stanza::default();
    let mut in_conffiles = false;
    for line in text.split(|&byte| byte == b'\n') {
        if line.trim_ascii().is_empty() {
            if !stanza.package.is_empty() {
                visit(&stanza);
            }
            (stanza, in_conffiles) = (Stanza::default(), false);
        } else if line.starts_with(b" ") || line.starts_with(b"\t") {
            if in_conffiles && stanza.conffiles.len() < KEPT_MAX {
                stanza.conffiles.push(line);
            }
        } else if let Some(colon) = line.iter().position(|&byte| byte == b':') {
            let (field, value) = line.split_at_checked(colon).unwrap_or_default();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            in_conffiles = field.eq_ignore_ascii_case(b"Conffiles");
            match field.to_ascii_lowercase().as_slice() {
                b"package" => stanza.package = value,
                b"version" => stanza.version = value,
                b"status" => stanza.status = Some(value),
                b"architecture" => stanza.architecture = value,
                _ => {}
            }
        }
    }
    if !stanza.package.is_empty() {
        visit(&stanza);
    }
}

/// States of a package whose files are all in place, whether it has been configured or not.
const UNPACKED: &[&[u8]] =
    &[b"installed", b"unpacked", b"half-configured", b"triggers-awaited", b"triggers-pending"];

/// Whether a `Status` field says that the package's files are there: not removed, not half unpacked.
pub(super) fn is_unpacked(status: &[u8]) -> bool {
    let words: Vec<&[u8]> =
        status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(4).collect();
    matches!(words.as_slice(), [_, b"ok", state] if UNPACKED.contains(state))
}

/// ` PATH MD5`; one that a later version gave up is not a file of the package.
fn conffile(line: &[u8]) -> Option<(&[u8], Digest)> {
    let line = line.trim_ascii();
    let (path, digest) = line.split_at_checked(line.iter().rposition(|&byte| byte == b' ')?)?;
    Some((path.trim_ascii(), Digest::md5_from_hex(digest.trim_ascii())?))
}

/// Visits the lines of an md5sums file until `visit` says `false`; whether it never did.
pub(super) fn md5sums(text: &[u8], visit: &mut dyn FnMut(&[u8], Digest) -> bool) -> bool {
    text.split(|&byte| byte == b'\n').filter_map(md5sum).all(|(path, digest)| visit(path.as_ref(), digest))
}

/// `MD5  PATH`; a backslash in front says that the path is escaped, as md5sum does.
fn md5sum(line: &[u8]) -> Option<(Cow<'_, [u8]>, Digest)> {
    let (line, escaped) = match line.strip_prefix(b"\\") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (digest, rest) = line.split_at_checked(32)?;
    let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
    let path = if escaped { Cow::Owned(unescaped(path)) } else { Cow::Borrowed(path) };
    Some((path, Digest::md5_from_hex(digest)?))
}

fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == b'\\') {
            (_, true) => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(other) => other,
                None => b'\\',
            },
            (byte, false) => byte,
        });
    }
    out
}

/// A package's name with its architecture and what findings call it.
type Installed<'t> = (&'t [u8], &'t [u8], Arc<str>);

/// Packages whose files are there, by name.
#[derive(Debug, Default)]
struct Packages<'t> {
    by_name: HashMap<&'t [u8], Vec<Installed<'t>>>,
    count: usize,
}

impl<'t> Packages<'t> {
    fn add(&mut self, stanza: &Stanza<'t>, shown: &Arc<str>) {
        self.count = self.count.saturating_add(1);
        if self.count > KEPT_MAX {
            return;
        }
        let installed = self.by_name.entry(stanza.package).or_default();
        installed.push((stanza.package, stanza.architecture, shown.clone()));
    }

    /// The package of `info/NAME.md5sums` or `info/NAME:ARCHITECTURE.md5sums`.
    fn get(&self, name: &[u8]) -> Option<(&'t [u8], &Arc<str>)> {
        let mut parts = name.splitn(2, |&byte| byte == b':');
        let (name, wanted) = (parts.next()?, parts.next());
        let fits = |architecture: &[u8]| wanted.is_none_or(|wanted| wanted == architecture);
        let found = self.by_name.get(name)?.iter().find(|(_, architecture, _)| fits(architecture))?;
        Some((found.0, &found.2))
    }
}

/// Files that are kept under another name for the sake of another package's or the owner's file.
#[derive(Debug)]
struct Diversions<'t> {
    /// By original path, relative to the root: where it is kept, and whose file is at the original path.
    by_path: HashMap<&'t [u8], (&'t [u8], &'t [u8])>,
}

impl<'t> Diversions<'t> {
    /// Three lines each: original path, the path it is kept at, the package that diverts (`:` for the owner).
    fn parse(text: &'t [u8]) -> Self {
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut by_path = HashMap::new();
        while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
            if by_path.len() >= KEPT_MAX {
                break;
            }
            by_path.insert(from.strip_prefix(b"/").unwrap_or(from), (to, by));
        }
        Self { by_path }
    }

    /// Where a package's file really is.
    fn real<'p>(&'p self, package: &[u8], path: &'p [u8]) -> &'p [u8] {
        match self.by_path.get(path.strip_prefix(b"/").unwrap_or(path)) {
            Some((to, by)) if *by != package => to,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

    #[test]
    fn only_packages_whose_files_are_there_count() {
        let cases = [
            ("install ok installed", true),
            ("hold ok installed", true),
            ("deinstall ok config-files", false),
            ("install ok half-installed", false),
            ("install ok unpacked", true),
            ("install ok triggers-pending", true),
            ("install reinstreq installed", false),
            ("installed", false),
            ("", false),
        ];
        for (status, installed) in cases {
            assert_eq!(is_unpacked(status.as_bytes()), installed, "{status}");
        }
    }

    #[test]
    fn status_gives_configuration_files_and_nothing_of_other_fields() {
        let text = format!(
            "Package: a\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/a b {MD5}\n \
             /etc/old {MD5} obsolete\n /etc/n newconffile\nDescription: x\n /etc/not {MD5}\n\n\nPackage: b"
        );
        let mut seen = Vec::new();
        stanzas(text.as_bytes(), &mut |stanza| {
            let files: Vec<_> = stanza.conffiles.iter().filter_map(|line| conffile(line)).collect();
            seen.push((stanza.package, stanza.version, files));
        });
        let md5 = Digest::md5_from_hex(MD5.as_bytes()).unwrap();
        let files = vec![(b"/etc/a b".as_slice(), md5)];
        assert_eq!(seen, [(b"a".as_slice(), b"1".as_slice(), files), (b"b", b"", vec![])]);
    }

    #[test]
    fn lines_of_md5sums_give_paths_or_nothing() {
        let cases = [
            (format!("{MD5}  usr/bin/a b"), Some("usr/bin/a b")),
            (format!("{MD5} *usr/bin/a"), Some("usr/bin/a")),
            (format!("\\{MD5}  a\\nb\\\\c"), Some("a\nb\\c")),
            (format!("{MD5} usr"), None),
            (format!("x{MD5}  usr"), None),
            (MD5.to_owned(), None),
            (String::new(), None),
            ("\u{fffd}".repeat(20), None),
        ];
        for (line, path) in cases {
            let found = md5sum(line.as_bytes()).map(|(path, _)| path.into_owned());
            assert_eq!(found.as_deref(), path.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn a_diverted_file_is_kept_elsewhere_for_all_but_the_diverter() {
        let diversions =
            Diversions::parse(b"/usr/bin/x\n/usr/bin/x.real\nwrapper\n/etc/y\n/etc/y.d\n:\n/cut\n");
        assert_eq!(diversions.real(b"tool", b"usr/bin/x"), b"/usr/bin/x.real");
        assert_eq!(diversions.real(b"wrapper", b"usr/bin/x"), b"usr/bin/x");
        assert_eq!(diversions.real(b"tool", b"/etc/y"), b"/etc/y.d");
        assert_eq!(diversions.real(b"tool", b"cut"), b"cut");
    }
}
