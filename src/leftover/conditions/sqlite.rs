//! SQLite databases whose tables have rows.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::format::sqlite::Database;
use crate::leftover::glob::Wild;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind { name: "sqlite", cases: &[], build };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Names of tables that count, with wildcards, in lower case.
    tables: Vec<String>,
}

#[derive(Debug)]
struct Sqlite {
    tables: Vec<Wild>,
}

/// Tables that a finding names.
const NAMED_MAX: usize = 10;

fn build(table: toml::Table) -> Result<Box<dyn Condition>> {
    let with: Parameters = parameters(table)?;
    Ok(Box::new(Sqlite { tables: with.tables.iter().map(|name| Wild::new(name)).collect() }))
}

impl Condition for Sqlite {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.tree.open(hit.spot.node, hit.entry)?;
        let Some(database) = Database::open(content.as_ref())? else { return Ok(()) };
        let mut evidence = Vec::new();
        for table in database.tables()? {
            let name = table.name.to_ascii_lowercase();
            if name.starts_with(b"sqlite_") || !self.tables.iter().any(|wild| wild.matches(&name)) {
                continue;
            }
            let rows = database.rows(&table)?;
            if rows.count > 0 && evidence.len() < NAMED_MAX {
                let more = if rows.more { " or more" } else { "" };
                evidence.push(format!("table {}: {}{more} rows", shown(&table.name), rows.count));
            }
        }
        if !evidence.is_empty() {
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }
}
