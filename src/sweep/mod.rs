//! The sweep: every byte of the disk once, in physical order, in parallel.

pub mod prefilter;
