//! Which systems a disk holds, and which volume belongs where in them.

use super::Source;
use super::lines::lines;
use super::system::{Os, System};
use super::tree::{Node, Spot, Tree};
use crate::filesystem::{EntryKind, FileSystem};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of `/etc/fstab` that are read.
const FSTAB_MAX: u64 = 1 << 20;

/// A tree to be walked with the patterns of a system.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// The tree.
    pub(crate) tree: Tree<'a>,
    /// The system.
    pub(crate) system: System,
    /// Patterns of which sort of system apply.
    pub(crate) patterns: Os,
    /// Directory of a system that the root of this tree stands for: empty for a system's own root.
    pub(crate) prefix: Vec<Vec<u8>>,
    /// Whether the patterns from the root of the system apply.
    pub(crate) rooted: bool,
    /// Whether patterns for any place of a volume apply; not in a tree inside of another.
    pub(crate) whole_volume: bool,
    /// Directories whose file system is not in the image, with what the system says of it.
    pub(crate) missing: BTreeMap<Node, String>,
}

/// Finds the systems and volumes of data.
pub(crate) fn survey(sources: &[Source]) -> Vec<Site<'_>> {
    let mut sites = Vec::new();
    let mut taken = BTreeSet::new();
    let kinds: Vec<Option<Os>> = sources.iter().map(|source| detect(source.filesystem.as_ref())).collect();
    for (index, kind) in kinds.iter().enumerate() {
        let spot = root_of(sources, index);
        match kind {
            Some(Os::Linux) => {
                let site = linux(sources, spot, &kinds, &mut taken);
                sites.push(site);
            }
            Some(Os::Windows) => {
                let tree = Tree::new(sources, spot);
                let system = System::windows(&tree);
                sites.push(Site { system, ..bare(tree, Os::Windows) });
            }
            None => {}
        }
    }
    for index in (0..sources.len()).filter(|&index| kinds[index].is_none()) {
        if !taken.contains(&index) {
            sites.push(data(sources, index));
        }
    }
    sites
}

/// A system inside of another: a container's layer, a chroot, the system before an upgrade.
pub(crate) fn nested<'a>(sources: &'a [Source], spot: Spot, os: Os) -> Option<Site<'a>> {
    let tree = Tree::new(sources, spot);
    // A directory of that name counts as a system only when it looks like one; a layer may hold any part.
    let is_chroot = tree.root().path.ends_with(b"chroot");
    if is_chroot && !matches!(tree.resolve(b"/etc"), Ok(Some(_))) {
        return None;
    }
    let system = match os {
        Os::Linux => System::linux(&tree),
        Os::Windows => System::windows(&tree),
    };
    Some(Site { system, whole_volume: false, ..bare(tree, os) })
}

fn bare(tree: Tree<'_>, patterns: Os) -> Site<'_> {
    Site {
        tree,
        system: System::data(),
        patterns,
        prefix: Vec::new(),
        rooted: true,
        whole_volume: true,
        missing: BTreeMap::new(),
    }
}

fn root_of(sources: &[Source], source: usize) -> Spot {
    let id = sources.get(source).map(|source| source.filesystem.root()).unwrap_or_default();
    Spot { node: Node { source, id }, path: b"/".to_vec() }
}

/// Whether the paths that make a system are there. What cannot be read does not count as one.
fn detect(filesystem: &dyn FileSystem) -> Option<Os> {
    let has = |path: &[u8]| filesystem.find(path).is_ok();
    if has(b"/Windows/System32/config/SYSTEM") {
        return Some(Os::Windows);
    }
    let linux: [&[u8]; 4] = [b"/etc/passwd", b"/etc/os-release", b"/usr/lib/os-release", b"/etc/shadow"];
    linux.into_iter().any(has).then_some(Os::Linux)
}

fn linux<'a>(
    sources: &'a [Source],
    root: Spot,
    kinds: &[Option<Os>],
    taken: &mut BTreeSet<usize>,
) -> Site<'a> {
    let mut tree = Tree::new(sources, root);
    let mut missing = BTreeMap::new();
    let table = tree.read(b"/etc/fstab", FSTAB_MAX).ok().flatten().unwrap_or_default();
    let mut mounts = fstab(&table);
    // `/var` before `/var/log`.
    mounts.sort_by_key(|mount| mount.on.len());
    for mount in &mounts {
        let free = |index: &usize| kinds[*index].is_none() && !taken.contains(index);
        let named =
            (0..sources.len()).filter(free).find(|&index| mount.names(sources[index].filesystem.as_ref()));
        let guessed = || {
            let by_device = !mount.spec.starts_with(b"UUID=") && !mount.spec.starts_with(b"LABEL=");
            let top = mount.on.strip_prefix(b"/").unwrap_or_default().to_vec();
            (0..sources.len())
                .filter(free)
                .find(|&index| by_device && guess(sources[index].filesystem.as_ref()) == [top.clone()])
        };
        let Ok(Some(on)) = tree.resolve(&mount.on) else { continue };
        match named.or_else(guessed) {
            Some(index) => {
                taken.insert(index);
                tree.mount(on.node, index);
            }
            None => {
                let spec = crate::location::escape(&mount.spec);
                let shown = crate::location::escape(&mount.on);
                missing.insert(on.node, format!("{shown} is on a file system that was not read: {spec}"));
            }
        }
    }
    let system = System::linux(&tree);
    Site { system, missing, ..bare(tree, Os::Linux) }
}

/// A volume without a system: patterns for any place, and those of the directory that it looks like.
fn data(sources: &[Source], index: usize) -> Site<'_> {
    let filesystem = sources[index].filesystem.as_ref();
    let patterns = match filesystem.facts().kind {
        "ntfs" | "exfat" | "fat12" | "fat16" | "fat32" | "refs" => Os::Windows,
        _ => Os::Linux,
    };
    let prefix = if patterns == Os::Linux { guess(filesystem) } else { Vec::new() };
    let mut site = bare(Tree::new(sources, root_of(sources, index)), patterns);
    site.rooted = !prefix.is_empty();
    site.prefix = prefix;
    site
}

/// A line of fstab(5).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    spec: Vec<u8>,
    on: Vec<u8>,
}

impl Mount {
    /// Whether the line names this file system.
    fn names(&self, filesystem: &dyn FileSystem) -> bool {
        let facts = filesystem.facts();
        let value = |prefix: &[u8]| {
            let text = self.spec.strip_prefix(prefix)?;
            std::str::from_utf8(text).ok().map(|text| text.trim_matches('"').to_owned())
        };
        let by_uuid = value(b"UUID=").or_else(|| value(b"/dev/disk/by-uuid/"));
        let by_label = value(b"LABEL=").or_else(|| value(b"/dev/disk/by-label/"));
        by_uuid.is_some_and(|uuid| facts.uuid.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&uuid)))
            || by_label.is_some_and(|label| facts.label.as_deref() == Some(label.as_str()))
    }
}

/// Lines that put a local file system on a directory other than `/`.
fn fstab(table: &[u8]) -> Vec<Mount> {
    lines(table)
        .filter_map(|line| {
            let text = line.bytes.trim_ascii();
            let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let (spec, on, kind) = (words.next()?, words.next()?, words.next()?);
            let options = words.next().unwrap_or_default();
            let is_local = matches!(
                kind,
                b"ext2"
                    | b"ext3"
                    | b"ext4"
                    | b"xfs"
                    | b"btrfs"
                    | b"f2fs"
                    | b"auto"
                    | b"ntfs"
                    | b"ntfs3"
                    | b"jfs"
                    | b"reiserfs"
                    | b"zfs"
            );
            let is_bind =
                options.split(|&byte| byte == b',').any(|option| option == b"bind" || option == b"noauto");
            let counts =
                !spec.starts_with(b"#") && on.starts_with(b"/") && on != b"/" && is_local && !is_bind;
            counts.then(|| Mount { spec: spec.to_vec(), on: on.to_vec() })
        })
        .collect()
}

/// The directory of a system that a file system without a system looks like; empty for none.
fn guess(filesystem: &dyn FileSystem) -> Vec<Vec<u8>> {
    let mut names = BTreeSet::new();
    let mut directories = Vec::new();
    let listed = filesystem.list(filesystem.root(), &mut |entry| {
        if entry.kind == EntryKind::Directory && directories.len() < 100 {
            directories.push(entry.name.clone());
        }
        if names.len() < 10_000 {
            names.insert(entry.name);
        }
        std::ops::ControlFlow::Continue(())
    });
    if listed.is_err() {
        return Vec::new();
    }
    let has = |name: &str| names.contains(name.as_bytes());
    if has("log") && has("lib") && (has("spool") || has("cache")) {
        return vec![b"var".to_vec()];
    }
    if has("bin") && has("lib") && has("share") && !has("etc") {
        return vec![b"usr".to_vec()];
    }
    let has_kernel = names.iter().any(|name| name.starts_with(b"vmlinuz"));
    if has_kernel || has("grub") || has("grub2") {
        return vec![b"boot".to_vec()];
    }
    let marks: [&[u8]; 6] = [b".bashrc", b".profile", b".bash_history", b".ssh", b".bash_logout", b".zshrc"];
    let is_home = directories.iter().any(|directory| {
        marks.iter().any(|mark| filesystem.find(&[b"/", directory.as_slice(), b"/", mark].concat()).is_ok())
    });
    if is_home { vec![b"home".to_vec()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fstab_lines_of_local_file_systems_count() {
        let table = b"# x\nUUID=a / ext4 defaults 0 1\nUUID=b /home ext4 defaults\nUUID=c none swap sw\n\
            LABEL=d /var xfs\nproc /proc proc\nUUID=E /boot/efi vfat\nnas:/x /mnt nfs\nUUID=f /old ext4 noauto\n";
        let found: Vec<_> = fstab(table).into_iter().map(|mount| mount.on).collect();
        assert_eq!(found, [b"/home".to_vec(), b"/var".to_vec()]);
    }
}
