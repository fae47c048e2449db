//! Streams of bytes that are written in ASCII (ISO 32000-1, 7.4.2 and 7.4.3): hexadecimal digits up to `>`, and
//! Base 85 up to `~>`.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};

/// How the bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Hex,
    Base85,
}

/// The bytes, of which a group of at most four is read at a time.
pub(super) struct Ascii<R> {
    source: BufReader<R>,
    form: Form,
    group: [u8; 4],
    /// Bytes of the group, and how many of them were taken.
    held: usize,
    taken: usize,
    ended: bool,
    /// What went wrong behind the bytes that were handed out last.
    wrong: Option<Error>,
}

impl<R: Read> Ascii<R> {
    pub(super) fn new(source: R, form: Form) -> Self {
        let source = BufReader::new(source);
        Self { source, form, group: [0; 4], held: 0, taken: 0, ended: false, wrong: None }
    }

    /// The next character that is no white space; nothing at the end.
    fn character(&mut self) -> Result<Option<u8>> {
        loop {
            let seen = self.source.fill_buf()?;
            let Some(&byte) = seen.first() else { return Ok(None) };
            self.source.consume(1);
            if !(byte.is_ascii_whitespace() || byte == 0) {
                return Ok(Some(byte));
            }
        }
    }

    /// Reads the next group.
    fn next(&mut self) -> Result<()> {
        self.taken = 0;
        match self.form {
            Form::Hex => self.pair(),
            Form::Base85 => self.five(),
        }
    }

    fn pair(&mut self) -> Result<()> {
        let mut digits = [0_u32; 2];
        let mut count = 0_usize;
        for digit in &mut digits {
            match self.character()? {
                Some(b'>') | None => {
                    self.ended = true;
                    break;
                }
                Some(byte) => *digit = char::from(byte).to_digit(16).ok_or_else(wrong)?,
            }
            count = count.saturating_add(1);
        }
        let [high, low] = digits;
        // A digit that is missing at the end counts as zero.
        self.group = [u8::try_from(high << 4 | low).unwrap_or(0), 0, 0, 0];
        self.held = count.min(1);
        Ok(())
    }

    fn five(&mut self) -> Result<()> {
        // What is missing at the end counts as the highest digit.
        let mut digits = [84_u32; 5];
        let mut count = 0_usize;
        for digit in &mut digits {
            match self.character()? {
                Some(b'z') if count == 0 => {
                    (self.group, self.held) = ([0; 4], 4);
                    return Ok(());
                }
                Some(byte @ b'!'..=b'u') => *digit = u32::from(byte.wrapping_sub(b'!')),
                Some(b'~') | None => {
                    self.ended = true;
                    break;
                }
                Some(_) => return Err(wrong()),
            }
            count = count.saturating_add(1);
        }
        if count == 0 {
            self.held = 0;
            return Ok(());
        }
        let value = digits.iter().try_fold(0_u32, |value, &digit| value.checked_mul(85)?.checked_add(digit));
        self.group = value.ok_or_else(wrong)?.to_be_bytes();
        self.held = count.saturating_sub(1);
        Ok(())
    }
}

impl<R: Read> Read for Ascii<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0_usize;
        for into in buffer.iter_mut() {
            while self.taken >= self.held {
                if filled == 0
                    && let Some(error) = self.wrong.take()
                {
                    return Err(error);
                }
                if self.ended {
                    return Ok(filled);
                }
                if let Err(error) = self.next() {
                    // What was read before counts, and is handed out first.
                    (self.held, self.ended, self.wrong) = (0, true, Some(error));
                }
            }
            *into = self.group.get(self.taken).copied().unwrap_or(0);
            self.taken = self.taken.saturating_add(1);
            filled = filled.saturating_add(1);
        }
        Ok(filled)
    }
}

fn wrong() -> Error {
    Error::new(ErrorKind::InvalidData, "a character that is no digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, form: Form) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Ascii::new(text.as_bytes(), form).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn damage_is_told_behind_what_came_before_it() {
        for (text, form, before) in [
            ("4865zz>", Form::Hex, &b"He"[..]),
            ("87cUR\x7f!!~>", Form::Base85, b"Hell"),
            ("s8W-\"~>", Form::Base85, b""),
        ] {
            let (mut reader, mut bytes) = (Ascii::new(text.as_bytes(), form), Vec::new());
            assert!(reader.read_to_end(&mut bytes).is_err(), "{text}");
            assert_eq!(bytes, before, "{text}");
        }
    }

    #[test]
    fn digits_become_bytes() {
        for (text, form, expected) in [
            ("48 65\n6c6C 6F>more", Form::Hex, &b"Hello"[..]),
            ("487>", Form::Hex, b"Hp"),
            (">", Form::Hex, b""),
            ("87cURD_*#4DfTZ)~>x", Form::Base85, b"Hello, World"),
            ("87cUR\nD_*#4DfTZ) +T~>", Form::Base85, b"Hello, World!"),
            ("z!!~>", Form::Base85, b"\0\0\0\0\0"),
            ("", Form::Base85, b""),
        ] {
            assert_eq!(read(text, form).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn other_characters_are_an_error() {
        for (text, form) in [("4x", Form::Hex), ("87c{R", Form::Base85), ("uuuuu", Form::Base85)] {
            assert_eq!(read(text, form).unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
        }
    }
}
