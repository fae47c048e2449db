//! What the caller allows when a container is opened.

/// What to do about a parent (backing file) that the image needs and that was not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutParent {
    /// Refuse to open the image.
    #[default]
    Refuse,
    /// Open the delta alone: what only the parent holds is missing, never zero.
    DeltaOnly,
}

/// How a container is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Name of the format; `None` recognises it by content.
    pub format: Option<String>,
    /// What to do about a parent that was not given.
    pub without_parent: WithoutParent,
}
