//! An opened disk: container, volumes, and what each volume holds.

use super::Options;
use super::nested::{self, Decoded, Unpacked};
use crate::container::{self, DirectoryImage, Image, Unresolved};
use crate::content::{HEAD, carved};
use crate::coverage::Gap;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{self, Directory, Facts, FileSystem, Recognised, RunReader};
use crate::io::tree::Tree;
use crate::io::{self, ReadAt, read_vec};
use crate::location::State;
use crate::ownership;
use crate::sweep::{self, Ground, Land};
use crate::volume::{self, Reading, Tiling, Volume, VolumeKind, VolumeReader};
use std::path::Path;
use std::sync::Arc;

/// A disk, opened down to its file systems.
#[derive(Debug)]
pub struct Disk {
    /// The virtual disk.
    pub image: Arc<dyn Image>,
    /// Bytes of the files that it was made of, with those of its parents, unpacked ones as they are unpacked.
    pub stored_size: u64,
    /// How it is divided; its volumes are in [`volumes`](Self::volumes) as well.
    pub tiling: Tiling,
    /// Volumes in disk order, then logical ones, then those of disk images in files.
    pub volumes: Vec<OpenVolume>,
    /// Bytes of disk images in files that exist only decoded.
    pub nested: Vec<Decoded>,
    /// Disk images in files that were not opened or not read whole.
    pub nested_gaps: Vec<Gap>,
    /// Compressed files that are open as disks, and not decoded besides.
    pub unpacked: Vec<Unpacked>,
}

/// A volume and what it holds.
#[derive(Debug)]
pub struct OpenVolume {
    /// The volume.
    pub volume: Volume,
    /// Its bytes.
    pub reader: Arc<dyn ReadAt>,
    /// What is in it.
    pub content: Recognised,
    /// Whether it belongs to a disk image in a file.
    pub nested: bool,
}

/// Opens the image at `path`.
///
/// # Errors
/// When the file cannot be read or the container refuses; damage further in is part of the disk.
pub fn open(path: &Path, options: &Options) -> Result<Disk> {
    let mut disk = open_outer(path, options)?;
    nested::open(&mut disk, options);
    Ok(disk)
}

/// As [`open`], without the disk images in its files, of which compressed ones have to be unpacked.
///
/// # Errors
/// As [`open`].
pub fn open_outer(path: &Path, options: &Options) -> Result<Disk> {
    if path.is_dir() {
        return open_directory(path);
    }
    let source = io::open(path, options.access)?;
    // With its path, so that the files of one image are found beside each other.
    let opening = container::OpenOptions {
        format: options.container.clone(),
        path: Some(path.to_path_buf()),
        access: options.access,
        parents: options.parents.clone(),
        allow_siblings: options.allow_siblings,
        unresolved: if options.delta_only { Unresolved::Gap } else { Unresolved::default() },
        spool: options.spool.clone(),
        ..container::OpenOptions::default()
    };
    let image = container::open_with(source, &opening).map_err(|error| error.in_file(path))?;
    let bytes: Arc<dyn ReadAt> = image.clone();
    let tiling = volume::tile(&bytes).map_err(|error| error.in_file(path))?;
    let volumes =
        tiling.volumes.iter().chain(&tiling.logical).map(|volume| open_volume(&bytes, volume)).collect();
    let stored_size = image.sources().iter().map(|source| source.size()).fold(0, u64::saturating_add);
    Ok(Disk::new(image, stored_size, tiling, volumes))
}

/// Opens a directory as a logical source: its files, without a disk below them.
fn open_directory(path: &Path) -> Result<Disk> {
    let tree = Tree::open(path)?;
    if tree.size() == 0 && tree.unread().is_empty() {
        return Err(Error::new(Kind::Truncated, "no file in the directory has any bytes").in_file(path));
    }
    let content = Recognised::Opened(Arc::new(Directory::new(tree.clone())));
    let volume = Volume::contiguous("whole", VolumeKind::Whole, 0..tree.size());
    let volumes = vec![OpenVolume { volume: volume.clone(), reader: tree.clone(), content, nested: false }];
    let tiling = Tiling { scheme: "none", sector_size: 512, volumes: vec![volume], ..Tiling::default() };
    let stored_size = tree.size();
    let image = Arc::new(DirectoryImage::new(tree));
    Ok(Disk::new(image, stored_size, tiling, volumes))
}

fn open_volume(disk: &Arc<dyn ReadAt>, volume: &Volume) -> OpenVolume {
    let reader: Arc<dyn ReadAt> = Arc::new(VolumeReader::new(disk.clone(), volume.clone()));
    let content = content(&reader, volume);
    OpenVolume { volume: volume.clone(), reader, content, nested: false }
}

/// What a volume holds, or what its volume system says of it.
pub(super) fn content(reader: &Arc<dyn ReadAt>, volume: &Volume) -> Recognised {
    let named = |kind| {
        let facts = filesystem::describe(kind, reader);
        facts.unwrap_or_else(|| Facts { kind, size: volume.size(), ..Facts::default() })
    };
    match (&volume.reading, &volume.kind) {
        (_, VolumeKind::Table | VolumeKind::Gap) => Recognised::Unknown,
        (Reading::Content, _) => filesystem::recognise(reader),
        (Reading::Member(system), _) => Recognised::Plain(named(system)),
        (Reading::Copy { system, note, .. }, _) => {
            let mut facts = named(system);
            facts.notes.push(note.clone());
            Recognised::Plain(facts)
        }
        (Reading::Opaque { kind, reason }, _) => {
            Recognised::Opaque { facts: named(kind), error: Error::unsupported(reason) }
        }
    }
}

/// Whether it is known what a volume holds.
pub(super) fn is_understood(content: &Recognised) -> bool {
    !matches!(content, Recognised::Unknown)
}

impl OpenVolume {
    /// The file system, where one is read.
    pub fn filesystem(&self) -> Option<&Arc<dyn FileSystem>> {
        match &self.content {
            Recognised::Opened(filesystem) => Some(filesystem),
            _ => None,
        }
    }

    /// What is known of the content.
    pub fn facts(&self) -> Option<&filesystem::Facts> {
        match &self.content {
            Recognised::Opened(filesystem) => Some(filesystem.facts()),
            Recognised::Plain(facts) | Recognised::Opaque { facts, .. } => Some(facts),
            Recognised::Unknown => None,
        }
    }

    /// Why the content counts as not understood, where it does.
    pub fn opaque(&self) -> Option<String> {
        /// Partitions that hold no file system by their purpose.
        const WITHOUT: [&str; 3] = ["BIOS boot", "Microsoft reserved", "PReP boot"];
        match (&self.content, &self.volume.kind) {
            (Recognised::Opaque { error, .. }, _) => Some(error.to_string()),
            (Recognised::Unknown, VolumeKind::Partition { type_name: Some(name), .. })
                if WITHOUT.contains(name) =>
            {
                None
            }
            (Recognised::Unknown, VolumeKind::Whole | VolumeKind::Partition { .. } | VolumeKind::Logical) => {
                (!self.is_blank()).then(|| "no known file system".to_owned())
            }
            _ => None,
        }
    }

    /// Where the volume starts on the disk; 0 where none of it lies there as it is.
    pub fn disk_offset(&self) -> u64 {
        let mut starts = self.volume.segments.iter().map(|segment| segment.disk_offset);
        starts.find(|&start| start < nested::BASE).unwrap_or(0)
    }

    /// Bytes of the volume that are not on this disk, where there are any.
    pub fn absent(&self) -> Option<u64> {
        let Volume { reading, kind, .. } = &self.volume;
        let counts = *reading == Reading::Content && *kind == VolumeKind::Logical && !self.nested;
        let absent = self.volume.size().saturating_sub(self.volume.present());
        (counts && absent > 0).then_some(absent)
    }

    /// Whether the whole volume is a hole in its container.
    fn is_blank(&self) -> bool {
        let mut at = 0;
        while at < self.reader.size() {
            match self.reader.map(at, self.reader.size().saturating_sub(at)) {
                Ok(extent) if extent.backing == io::Backing::Hole => {
                    at = at.saturating_add(extent.length.max(1))
                }
                _ => return false,
            }
        }
        true
    }

    fn state(&self) -> Option<State> {
        match (&self.content, &self.volume.kind) {
            (Recognised::Plain(facts), _) if facts.kind == "swap" => Some(State::Swap),
            (Recognised::Plain(facts), _) if facts.kind == "ext4 journal" => Some(State::Journal),
            (_, VolumeKind::Gap) => Some(State::Unpartitioned),
            (_, VolumeKind::Table) => Some(State::Metadata),
            _ => None,
        }
    }
}

impl Disk {
    /// A disk whose files are not looked at yet.
    fn new(image: Arc<dyn Image>, stored_size: u64, tiling: Tiling, volumes: Vec<OpenVolume>) -> Self {
        let (nested, nested_gaps, unpacked) = (Vec::new(), Vec::new(), Vec::new());
        Self { image, stored_size, tiling, volumes, nested, nested_gaps, unpacked }
    }

    /// What no file owns from one place on: the range that it lies in, and in a file system all free space behind it.
    /// `at` is an offset in the volume called `volume`, or on the disk; of several volumes of one name (the gaps of a
    /// disk image in a file) the one counts where content starts there. `None` where there is no such place.
    ///
    /// # Errors
    /// When the owners of the volume's bytes, or the first of the content, cannot be read.
    pub fn unowned(&self, volume: Option<&str>, at: u64) -> Result<Option<RunReader>> {
        let mut ground = Ground::new(self.lands());
        let places: Vec<(usize, u64)> = match volume {
            Some(name) => {
                let named = ground.lands.iter().enumerate().filter(|(_, land)| land.volume.name == name);
                named.map(|(index, _)| (index, at)).collect()
            }
            None => ground.to_volume(at).into_iter().collect(),
        };
        let mut found = None;
        for (index, at) in places {
            let Some(land) = ground.lands.get_mut(index).filter(|land| at < land.reader.size()) else {
                continue;
            };
            if let Some(filesystem) = land.filesystem.as_deref() {
                land.map = Some(ownership::index(filesystem, land.volume.size(), &mut |_| {})?);
            }
            let content = RunReader::new(land.reader.clone(), &sweep::unowned(land, at, u64::MAX));
            let length = usize::try_from(content.size()).unwrap_or(usize::MAX).min(HEAD);
            if carved::recognise(&read_vec(&content, 0, length)?).is_some() {
                return Ok(Some(content));
            }
            found = found.or(Some(content));
        }
        Ok(found)
    }

    /// The volumes as the sweep takes them, without owners yet.
    pub(super) fn lands(&self) -> Vec<Land> {
        let lands = self.volumes.iter().enumerate().map(|(index, volume)| {
            let opened = self.unpacked.iter().filter(|unpacked| unpacked.volume == index);
            Land {
                volume: volume.volume.clone(),
                reader: volume.reader.clone(),
                filesystem: volume.filesystem().cloned(),
                map: None,
                state: volume.state(),
                outside: self.image.is_logical(),
                opened: opened.map(|unpacked| (unpacked.entry, unpacked.stream)).collect(),
            }
        });
        lands.collect()
    }
}
