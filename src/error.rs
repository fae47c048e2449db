//! The one error type: a kind that callers decide on, and a sentence for people.
//!
//! A message says what was expected, what was found and at which byte; it never repeats the kind and
//! never contains bytes of the evidence that have not been escaped (see [`crate::location::escape`]).

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of everything that reads evidence.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of trouble it is; the exit code and the coverage depend on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The operating system could not deliver bytes (permission, bad sector, vanished file).
    Io,
    /// The evidence ends before bytes that its own structures promise.
    Truncated,
    /// The structures contradict themselves or their specification.
    Corrupt,
    /// A valid feature that this program does not read.
    Unsupported,
    /// The bytes are encrypted.
    Encrypted,
    /// A bound on work or memory was reached.
    LimitExceeded,
    /// A parent or extent file is needed and was not given.
    MissingParent,
    /// A reference inside the image was not followed.
    RefusedReference,
    /// The thing asked for is not there.
    NotFound,
    /// The user's own input (arguments, rules, allow-lists) is wrong.
    Usage,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "read error",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Encrypted => "encrypted",
            Self::LimitExceeded => "limit reached",
            Self::MissingParent => "parent missing",
            Self::RefusedReference => "reference refused",
            Self::NotFound => "not found",
            Self::Usage => "invalid input",
        })
    }
}

/// An error with its kind, its place and its cause.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    offset: Option<u64>,
    path: Option<PathBuf>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`, with a sentence that needs no further context than its place.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, offset: None, path: None, message: message.into(), source: None }
    }

    /// A [`Kind::Corrupt`] error about `what`, which should have been `expected` and was `found`.
    pub fn corrupt(offset: u64, what: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(Kind::Corrupt, format!("{what}: expected {expected}, found {found}")).at(offset)
    }

    /// A [`Kind::Unsupported`] error that names the feature.
    pub fn unsupported(feature: impl fmt::Display) -> Self {
        Self::new(Kind::Unsupported, feature.to_string())
    }

    /// A [`Kind::Truncated`] error: `wanted` bytes at `offset` of something `size` bytes long.
    pub fn truncated(what: &str, offset: u64, wanted: u64, size: u64) -> Self {
        Self::new(Kind::Truncated, format!("{what}: {wanted} bytes wanted, it ends at byte {size}"))
            .at(offset)
    }

    /// A [`Kind::Io`] error from the operating system.
    pub fn io(what: &str, source: std::io::Error) -> Self {
        Self::new(Kind::Io, what).with_source(source)
    }

    /// The same error, said to be at byte `offset` of the layer it came from.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The same error, said to be about the file `path` of this machine.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        self.path = Some(path.to_path_buf());
        self
    }

    /// The same error with the lower-level cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with `context` in front of its sentence.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// The sentence, without kind, place and cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What sort of trouble it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the operating system said, where the trouble began there.
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return Some(io.kind());
            }
            cause = error.source();
        }
        None
    }

    /// The byte offset in the layer that reported it.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }
}

/// The alternate form (`{:#}`) leaves the offset out: what it shows is the same for each byte of a failing range.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", crate::location::escape(path.as_os_str().as_encoded_bytes()))?;
        }
        write!(f, "{}", self.kind)?;
        if let Some(offset) = self.offset.filter(|_| !f.alternate()) {
            write!(f, " at byte {offset:#x}")?;
        }
        write!(f, ": {}", self.message)?;
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_kind_place_expectation_and_finding() {
        let error = Error::corrupt(0x1c, "cluster bits", "9 to 21", 63).in_file(Path::new("disk.qcow2"));
        assert_eq!(
            error.to_string(),
            "disk.qcow2: corrupt at byte 0x1c: cluster bits: expected 9 to 21, found 63"
        );
        let without = format!("{error:#}");
        assert_eq!(without, "disk.qcow2: corrupt: cluster bits: expected 9 to 21, found 63");
    }

    #[test]
    fn control_characters_of_a_path_are_escaped() {
        let error = Error::new(Kind::Io, "x").in_file(Path::new("a\u{1b}[31m"));
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
