//! rpm: headers of packages in one of three databases, `rpmdb.sqlite`, `Packages.db` (ndb) or `Packages`
//! (Berkeley DB), in one of three directories.

mod bdb;
mod header;
mod ndb;

use super::Database;
use super::image::Image;
use super::wanted::Wanted;
use crate::error::{Error, Kind, Result};
use crate::format::sqlite;
use crate::io::{ReadAt, read_vec};

pub(super) const DATABASE: Database = Database { marks: PLACES, read };

/// Where databases are: of old, since 2017 on systems that are updated as a whole, in images of ostree.
const PLACES: &[&[u8]] = &[b"/var/lib/rpm", b"/usr/lib/sysimage/rpm", b"/usr/share/rpm"];
/// Longest header of a package that is read. Those of kernels have 2 MiB.
const BLOB_MAX: usize = 64 << 20;
/// Bytes of all headers of one database.
const TOTAL_MAX: usize = 2 << 30;

/// Takes the header of a package, or why it cannot be had; says whether it takes more.
type Blobs<'v> = &'v mut dyn FnMut(Result<Vec<u8>>) -> bool;

/// A kind of database: the file's name, and what reads it.
type Backend = (&'static [u8], fn(&dyn ReadAt, Blobs<'_>) -> Result<()>);

const BACKENDS: &[Backend] = &[(b"/Packages.db", ndb::read), (b"/Packages", berkeley)];

fn read(image: &Image<'_>, wanted: &mut Wanted<'_>) -> Result<()> {
    let mut seen = Vec::new();
    for place in PLACES {
        // One of the directories often is a link to another.
        let Some(node) = image.resolve(place)?.filter(|node| !seen.contains(node)) else { continue };
        seen.push(node);
        let mut take = Take { wanted: &mut *wanted, left: TOTAL_MAX, trouble: None };
        if let Some(content) = image.open(&[*place, b"/rpmdb.sqlite"].concat())? {
            let log = image.open(&[*place, b"/rpmdb.sqlite-wal"].concat())?;
            sqlite(content.as_ref(), log.as_deref(), &mut |blob| take.blob(blob))?;
        }
        for (name, read) in BACKENDS {
            let content = image.open(&[*place, *name].concat())?;
            if let Some(content) = content.filter(|content| content.size() > 0) {
                read(content.as_ref(), &mut |blob| take.blob(blob))?;
            }
        }
        take.trouble.map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// What is taken from a database.
struct Take<'w, 'a> {
    wanted: &'w mut Wanted<'a>,
    left: usize,
    /// The first package that could not be read; the others are.
    trouble: Option<Error>,
}

impl Take<'_, '_> {
    fn blob(&mut self, blob: Result<Vec<u8>>) -> bool {
        let taken = blob.and_then(|blob| {
            self.left = self.left.checked_sub(blob.len()).ok_or_else(|| {
                Error::new(Kind::LimitExceeded, format!("more than {TOTAL_MAX} bytes of package headers"))
            })?;
            header::files(&blob, &mut |path, digest, package| self.wanted.offer(path, digest, package))
        });
        match taken {
            Ok(goes_on) => goes_on,
            Err(error) => {
                let goes_on = error.kind() != Kind::LimitExceeded;
                self.trouble.get_or_insert(error);
                goes_on
            }
        }
    }
}

/// The table `Packages`: a number and a header in each row.
fn sqlite(content: &dyn ReadAt, log: Option<&dyn ReadAt>, visit: Blobs<'_>) -> Result<()> {
    let wrong = |found: &str| Error::corrupt(0, "rpm database", "a table Packages in SQLite format 3", found);
    let database = sqlite::Database::open(content)?.ok_or_else(|| wrong("another format"))?;
    let database = match log {
        Some(log) if log.size() > 0 => database.with_log(log)?,
        _ => database,
    };
    let tables = database.tables()?;
    let table =
        tables.iter().find(|table| table.name == b"Packages").ok_or_else(|| wrong("no such table"))?;
    database.visit(table, BLOB_MAX, &mut |row| match row {
        Ok(row) => row.blob().is_none_or(|blob| visit(Ok(blob.to_vec()))),
        Err(error) => visit(Err(error)),
    })
}

/// Whatever is called `Packages`: Berkeley DB, or nothing of rpm's.
fn berkeley(content: &dyn ReadAt, visit: Blobs<'_>) -> Result<()> {
    if content.size() < 512 || !bdb::is_any(&read_vec(content, 0, 16)?) {
        return Err(Error::corrupt(12, "rpm database", "Berkeley DB", "another format"));
    }
    bdb::read(content, visit)
}
