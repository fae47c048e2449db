//! `residue cat`: the bytes of a place.

use super::entries;
use super::exit::Exit;
use super::input::Input;
use super::member;
use super::output::{self, unwritable};
use super::resolve;
use crate::error::{Error, Kind, Result};
use crate::location::Place;
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
    let disk = scan::open(&args.image, &args.input.options())?;
    let place = resolve::settle(&disk, place);
    let open = if args.raw { resolve::open_raw } else { resolve::open };
    let mut content = open(&disk, &place).map_err(|error| error.in_file(&args.image))?;
    let offset = args.offset.or(place.offset).unwrap_or(0);
    if offset >= content.size() && place.member.is_none() {
        content = resolve::open_behind(&disk, &place, offset).unwrap_or(content);
    }
    if let Some(member) = &place.member {
        let range = member::Range { offset, length: args.length.or(place.length) };
        let mut out = output::stdout();
        member::copy(content.as_ref(), member, range, &mut |bytes| out.write_all(bytes).map_err(unwritable))
            .map_err(|error| error.in_file(&args.image))?;
        out.flush().map_err(unwritable)?;
        return Ok(Exit::Clean);
    }
    let is_asked_otherwise = args.offset.is_some() || args.length.is_some();
    let more = if is_asked_otherwise { &[] } else { place.more.as_slice() };
    let first = (offset, args.length.or(place.length));
    let ranges = std::iter::once(first).chain(more.iter().map(|&(offset, length)| (offset, Some(length))));
    let mut out = output::stdout();
    for (offset, length) in ranges {
        let rest = content.size().checked_sub(offset);
        let rest = rest.ok_or_else(|| Error::truncated("offset", offset, 1, content.size()))?;
        let length = length.unwrap_or(rest);
        if length > rest {
            return Err(Error::truncated("length", offset, length, content.size()));
        }
        entries::copy(content.as_ref(), offset, length, &mut |bytes| {
            out.write_all(bytes).map_err(unwritable)
        })?;
    }
    out.flush().map_err(unwritable)?;
    Ok(Exit::Clean)
}
