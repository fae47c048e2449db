//! A buffered source that can be looked at ahead, and streams of one format joined one after the other.

use crate::error::Result;
use std::io::{BufRead, Read};

/// Bytes held.
pub(super) const HELD: usize = 64 << 10;

/// A source of encoded bytes.
pub(super) struct Peek<'a> {
    content: &'a mut dyn Read,
    held: Vec<u8>,
    start: usize,
    end: usize,
}

impl<'a> Peek<'a> {
    pub(super) fn new(content: &'a mut dyn Read) -> Self {
        Self { content, held: vec![0; HELD], start: 0, end: 0 }
    }

    /// The next `length` bytes (at most [`HELD`]) without taking them; fewer at the end.
    ///
    /// # Errors
    /// What the source reports.
    pub(super) fn peek(&mut self, length: usize) -> std::io::Result<&[u8]> {
        let length = length.min(HELD);
        if self.held.len().saturating_sub(self.start) < length {
            self.held.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
        }
        while self.end.saturating_sub(self.start) < length {
            let got = self.content.read(self.held.get_mut(self.end..).unwrap_or_default())?;
            if got == 0 {
                break;
            }
            self.end = self.end.saturating_add(got).min(self.held.len());
        }
        let end = self.end.min(self.start.saturating_add(length));
        Ok(self.held.get(self.start..end).unwrap_or_default())
    }
}

impl Read for Peek<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        read_held(self, buffer)
    }
}

impl BufRead for Peek<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.content.read(&mut self.held)?.min(HELD);
        }
        Ok(self.held.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
    }
}

/// What [`Read::read`] does for a source that holds bytes ahead: copies of those, after more were read where none
/// are held.
///
/// # Errors
/// What the source reports.
pub(super) fn read_held(source: &mut impl BufRead, buffer: &mut [u8]) -> std::io::Result<usize> {
    let here = source.fill_buf()?;
    let length = here.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..length), here.get(..length)) {
        to.copy_from_slice(from);
    }
    source.consume(length);
    Ok(length)
}

/// A decoder of one stream of its format that leaves its source right behind the stream.
pub(super) trait Single<'a>: Read + Sized {
    /// Bytes that tell whether another stream follows.
    const PEEKED: usize;

    /// Whether these bytes start a stream.
    fn starts(head: &[u8]) -> bool;

    /// Starts on the stream at the source.
    ///
    /// # Errors
    /// When the stream's header is wrong.
    fn open(source: Peek<'a>) -> std::io::Result<Self>;

    /// Gives the source back.
    fn close(self) -> Peek<'a>;
}

/// Streams of one format, read as one content. What follows the last one (padding, foreign bytes) is left.
pub(super) struct Joined<'a, S> {
    current: Option<S>,
    next: Option<Peek<'a>>,
}

impl<'a, S: Single<'a>> Joined<'a, S> {
    pub(super) fn new(content: &'a mut dyn Read) -> Self {
        Self { current: None, next: Some(Peek::new(content)) }
    }
}

impl<'a, S: Single<'a>> Read for Joined<'a, S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(current) = &mut self.current {
                let got = current.read(buffer)?;
                if got > 0 {
                    return Ok(got);
                }
                self.next = self.current.take().map(S::close);
            }
            let Some(mut source) = self.next.take() else { return Ok(0) };
            if !S::starts(source.peek(S::PEEKED)?) {
                return Ok(0);
            }
            self.current = Some(S::open(source)?);
        }
    }
}

/// Hands on what joined streams of one format hold, without a name.
pub(super) fn visit_joined<'a, S: Single<'a>>(
    content: &'a mut dyn Read,
    visit: super::Visit<'_>,
) -> Result<()> {
    let mut joined = Joined::<S>::new(content);
    visit(super::Member { name: b"", stored: None, pieces: &[], content: &mut joined })
}
