//! Raw images: the disk's bytes as they are.

use super::{Facts, Format, Image, OpenOptions};
use crate::error::Result;
use crate::io::{Extent, ReadAt};
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "raw", probe: |_, _| true, open };

#[derive(Debug)]
struct Raw {
    source: Arc<dyn ReadAt>,
    facts: Facts,
}

fn open(source: Arc<dyn ReadAt>, _options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let size = source.size();
    let facts = Facts { format: "raw", virtual_size: size, stored_size: size, ..Facts::default() };
    Ok(Arc::new(Raw { source, facts }))
}

impl Image for Raw {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sources(&self) -> Vec<Arc<dyn ReadAt>> {
        vec![Arc::clone(&self.source)]
    }
}

impl ReadAt for Raw {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.source.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        self.source.map(offset, max)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.source.slice(offset, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.source.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.source.release(offset, length);
    }
}
