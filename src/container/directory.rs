//! A directory of this machine in the place of an image: a logical source, without raw bytes.

use super::{Facts, Image};
use crate::error::Result;
use crate::io::tree::Tree;
use crate::io::{Extent, ReadAt};
use std::sync::Arc;

/// The run of bytes that a tree's files make up.
#[derive(Debug)]
pub struct DirectoryImage {
    tree: Arc<Tree>,
    facts: Facts,
}

impl DirectoryImage {
    /// The name of the format.
    pub const FORMAT: &'static str = "directory";

    /// The files of `tree`.
    pub fn new(tree: Arc<Tree>) -> Self {
        let content = tree.content();
        let facts = Facts {
            format: Self::FORMAT,
            virtual_size: content,
            stored_size: content,
            unread: tree.unread().to_vec(),
            ..Facts::default()
        };
        Self { tree, facts }
    }
}

impl Image for DirectoryImage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sources(&self) -> Vec<Arc<dyn ReadAt>> {
        let tree: Arc<dyn ReadAt> = self.tree.clone();
        vec![tree]
    }

    fn padding(&self) -> u64 {
        self.tree.size().saturating_sub(self.tree.content())
    }

    fn is_logical(&self) -> bool {
        true
    }

    fn disturbances(&self) -> Vec<String> {
        self.tree.changed()
    }
}

impl ReadAt for DirectoryImage {
    fn size(&self) -> u64 {
        self.tree.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.tree.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        self.tree.map(offset, max)
    }
}
