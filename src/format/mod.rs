//! File formats that more than one layer reads: leftovers ask them questions, decoders hand on all they hold.

pub(crate) mod hive;
pub(crate) mod sqlite;
