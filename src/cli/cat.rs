//! `residue cat`: the bytes of a place.

use super::entries;
use super::exit::Exit;
use super::input::Input;
use super::member;
use super::output::{self, unwritable};
use super::resolve;
use crate::content;
use crate::content::carved::{self, Name};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use crate::location::{Place, Target};
use crate::scan;
use std::io::Write as _;
use std::path::PathBuf;

/// How places are written, for the help.
const PLACES: &str = "Places:\n  \
    /etc/shadow                                 a file, where one volume has it\n  \
    p3:/etc/shadow                              a file on a volume\n  \
    p3:/tmp/gone.txt                            a deleted file, where no other has its path\n  \
    p3:inode:1204                               an inode or MFT record, deleted ones too\n  \
    p3:inode:1204#2                             a former state of it, as listings number them\n  \
    p3:/a.exe:Zone.Identifier                   an alternate data stream\n  \
    p3:/a.txt:xattr:user.comment                an extended attribute\n  \
    p3:/srv/app.jar!/app.properties             a member of an archive, nested ones too\n  \
    'p3:/var/mail/root!/base64 @ 686'           what the text at a place stands for\n  \
    disk!/gzip@4096!/notes.txt                  a member of content that no file owns\n  \
    'p3:/etc/motd @ 300'                        the slack behind a file of 300 bytes\n  \
    --raw p3:/etc/motd                          all blocks of a file, with its slack\n  \
    'disk @ 8172+20,16384+24'                   bytes of free space in two pieces, as reports print them\n  \
    'disk.qcow2 / p3 ext4 / etc/shadow @ 1204'  a place from a report\n  \
    p3, disk                                    a volume, the whole disk\n  \
    container, container:2, snapshot:1          the container's own file, an internal snapshot\n\n\
    Any place may end in ' @ OFFSET' or ' @ OFFSET+LENGTH' in bytes, also with 0x. Of what text stands for these\n\
    are bytes of the text.\n\
    In names, %XX stands for the byte XX.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PLACES)]
pub(super) struct Args {
    /// Image to read
    image: PathBuf,
    /// Place in the image
    place: String,
    #[command(flatten)]
    input: Input,
    /// First byte, from the start of the place
    #[arg(long, value_name = "BYTES")]
    offset: Option<u64>,
    /// Number of bytes
    #[arg(long, value_name = "BYTES")]
    length: Option<u64>,
    /// All blocks of a file as they lie on the disk: slack, reserved and encoded bytes included
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let place = Place::parse(&args.place).map_err(|message| Error::new(Kind::Usage, message))?;
    let open = if place.may_be_nested() { scan::open } else { scan::open_outer };
    let disk = open(&args.image, &args.input.options())?;
    let place = resolve::settle(&disk, place);
    let offset = args.offset.or(place.offset).unwrap_or(0);
    let length = args.length.or(place.length);
    if let (Target::Disk | Target::Volume, Some(member)) = (&place.target, &place.member) {
        let (name, member) = Name::split(member).ok_or_else(|| {
            Error::new(Kind::NotFound, "a disk or volume has no members but those of FORMAT@OFFSET")
        })?;
        return resolve::carved(&disk, &place, name.at)
            .and_then(|content| {
                write_member((content.as_ref(), carved::decoder), member, member::Range { offset, length })
            })
            .map_err(|error| error.in_file(&args.image));
    }
    let open = if args.raw { resolve::open_raw } else { resolve::open };
    let mut bytes = open(&disk, &place).map_err(|error| error.in_file(&args.image))?;
    if let Some(member) = &place.member {
        return write_member((bytes.as_ref(), content::recognise), member, member::Range { offset, length })
            .map_err(|error| error.in_file(&args.image));
    }
    if offset >= bytes.size() {
        bytes = resolve::open_behind(&disk, &place, offset).unwrap_or(bytes);
    }
    let is_asked_otherwise = args.offset.is_some() || args.length.is_some();
    let more = if is_asked_otherwise { &[] } else { place.more.as_slice() };
    let further = more.iter().map(|&(offset, length)| (offset, Some(length)));
    let mut out = output::stdout();
    for (offset, length) in std::iter::once((offset, length)).chain(further) {
        let rest = bytes.size().checked_sub(offset);
        let rest = rest.ok_or_else(|| Error::truncated("offset", offset, 1, bytes.size()))?;
        let length = length.unwrap_or(rest);
        if length > rest {
            return Err(Error::truncated("length", offset, length, bytes.size()));
        }
        entries::copy(bytes.as_ref(), offset, length, &mut |part| out.write_all(part).map_err(unwritable))?;
    }
    out.flush().map_err(unwritable)?;
    Ok(Exit::Clean)
}

fn write_member(
    content: (&dyn ReadAt, member::Recogniser),
    member: &str,
    range: member::Range,
) -> Result<Exit> {
    let mut out = output::stdout();
    member::copy(content, member, range, &mut |bytes| out.write_all(bytes).map_err(unwritable))?;
    out.flush().map_err(unwritable)?;
    Ok(Exit::Clean)
}
