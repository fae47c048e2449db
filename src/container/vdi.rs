//! VDI (VirtualBox, `VDICore.h`, "VDI header" version 1.1): dynamic, fixed and differencing.

use super::blocks::Table;
use super::reference::{self, ParentName};
use super::residual::Used;
use super::sparse::{Layout, Piece, Place, Sparse};
use super::{Facts, Format, Image, OpenOptions};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "vdi", probe, open };

const SIGNATURE: u32 = 0xbeda_107f;
/// Length of the fields that are read.
const HEADER_LENGTH: usize = 456;
/// Largest block that is read; VirtualBox makes blocks of 1 MiB.
const BLOCK_MAX: u64 = 256 << 20;
/// Block map entries of blocks that are not stored: never written, and zeros.
const FREE: u32 = 0xffff_ffff;
const ZERO: u32 = 0xffff_fffe;

fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut signature = [0; 4];
    source.read_at(64, &mut signature).is_ok() && u32::from_le_bytes(signature) == SIGNATURE
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let bytes = read_vec(source.as_ref(), 0, HEADER_LENGTH)?;
    let fields = Fields::new("VDI header", &bytes, 0);
    let signature = fields.le_u32(64)?;
    if signature != SIGNATURE {
        return Err(Error::corrupt(64, "VDI signature", "0xbeda107f", format!("{signature:#x}")));
    }
    let (major, minor) = (fields.le_u16(70)?, fields.le_u16(68)?);
    if major != 1 {
        return Err(Error::unsupported(format!("VDI version {major}.{minor}; 1.1 is read")).at(68));
    }
    let kind = Kind::new(fields.le_u32(76)?)?;
    let parent = match kind {
        Kind::Differencing => {
            // The parent is known by its identifier only.
            let name = guid(fields.array(424)?);
            let parent = ParentName { name: name.as_bytes(), format: Some(FORMAT.name) };
            (Some(name.clone()), reference::parent(options, parent)?)
        }
        _ => (None, None),
    };
    let (name, parent) = parent;
    let blocks = Blocks::new(&fields, Arc::clone(&source), name.is_some())?;
    let description = fields.bytes(84, 256)?.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut notes = Vec::new();
    if !description.is_empty() {
        notes.push(format!("description: {}", escape(description)));
    }
    let uuid = guid(fields.array(392)?);
    if let (Some(name), Some(parent)) = (&name, &parent)
        && !parent.facts().identifiers.iter().any(|(_, value)| value == name)
    {
        notes.push(format!("the parent is not the image {name} that this one was made over"));
    }
    let creator = fields.bytes(0, 64)?.split(|&byte| matches!(byte, 0 | b'\n')).next().unwrap_or_default();
    let facts = Facts {
        format: FORMAT.name,
        version: Some(format!("{major}.{minor} {}", kind.name())),
        virtual_size: blocks.size,
        stored_size: source.size(),
        creator: Some(escape(creator.trim_ascii_start().strip_prefix(b"<<< ").unwrap_or(creator))),
        identifiers: vec![("uuid".to_owned(), uuid)],
        parent: name,
        notes,
        ..Facts::default()
    };
    Ok(Arc::new(Sparse::new(blocks, vec![source], parent, facts)))
}

/// Image types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dynamic,
    Fixed,
    Differencing,
}

impl Kind {
    fn new(number: u32) -> Result<Self> {
        match number {
            1 => Ok(Self::Dynamic),
            2 => Ok(Self::Fixed),
            4 => Ok(Self::Differencing),
            3 => Err(Error::unsupported("VDI undo image")),
            other => Err(Error::corrupt(76, "VDI image type", "1 to 4", other)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Fixed => "fixed",
            Self::Differencing => "differencing",
        }
    }
}

/// A GUID as text; its first three fields are little-endian.
fn guid(bytes: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = bytes;
    let mut text = format!(
        "{:08x}-{:04x}-{:04x}-",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1])
    );
    for (index, byte) in rest.iter().enumerate() {
        if index == 2 {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The block map.
#[derive(Debug)]
struct Blocks {
    source: Arc<dyn ReadAt>,
    size: u64,
    map: Table,
    data_at: u64,
    block: u64,
    /// Distance of stored blocks: a block and the bytes that belong to it without being disk.
    stride: u64,
    /// How far each block's disk bytes are from its start.
    extra: u64,
    unallocated: Place,
}

impl Blocks {
    fn new(fields: &Fields<'_>, source: Arc<dyn ReadAt>, has_parent: bool) -> Result<Self> {
        let size = fields.le_u64(368)?;
        let block = u64::from(fields.le_u32(376)?);
        let extra = u64::from(fields.le_u32(380)?);
        let count = u64::from(fields.le_u32(384)?);
        let map_at = u64::from(fields.le_u32(340)?);
        if !block.is_power_of_two() || !(512..=BLOCK_MAX).contains(&block) {
            return Err(Error::corrupt(376, "VDI block size", "a power of two from 512 to 2^28", block));
        }
        let needed = size.div_ceil(block);
        if count < needed {
            return Err(Error::corrupt(384, "VDI blocks", format!("at least {needed}"), count));
        }
        if map_at >= source.size() {
            return Err(Error::truncated("VDI block map", map_at, count.saturating_mul(4), source.size()));
        }
        let unallocated = if has_parent { Place::Parent } else { Place::Hole };
        Ok(Self {
            source,
            size,
            map: Table { at: map_at, width: 4, what: "VDI block map entry" },
            data_at: fields.le_u32(344)?.into(),
            block,
            stride: block.saturating_add(extra),
            extra,
            unallocated,
        })
    }
}

impl Layout for Blocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let (number, inside) = (offset / self.block, offset % self.block);
        let length = self.block.saturating_sub(inside);
        let lengths = (length, self.size.saturating_sub(offset));
        self.map.locate(self.source.as_ref(), number, lengths, |entry| {
            let place = match u32::from_le_bytes(entry) {
                FREE => self.unallocated.clone(),
                ZERO => Place::Hole,
                index => {
                    let start = u64::from(index).saturating_mul(self.stride).saturating_add(self.data_at);
                    Place::Stored { file: 0, at: start.saturating_add(self.extra).saturating_add(inside) }
                }
            };
            Ok(Piece { length, place })
        })
    }

    /// Everything in front of the first block, and what belongs to blocks without being disk.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        used.add(0, 0, self.data_at)?;
        Ok(self.extra == 0)
    }

    fn rewrite(&self) -> &'static str {
        "qemu-img convert -O vdi OLD NEW, or VBoxManage clonemedium OLD NEW"
    }
}
