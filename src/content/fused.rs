//! A reader that stays failed: decoders need not expect to be asked again after an error, and some then panic.

use std::io::{Error, ErrorKind, Read, Result};

/// Gives the first error of a reader again and again, without asking the reader.
#[derive(Debug)]
pub(super) struct Fused<R> {
    content: R,
    failed: Option<(ErrorKind, String)>,
}

impl<R> Fused<R> {
    pub(super) fn new(content: R) -> Self {
        Self { content, failed: None }
    }
}

impl<R: Read> Read for Fused<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some((kind, message)) = &self.failed {
            return Err(Error::new(*kind, message.clone()));
        }
        self.content.read(buffer).inspect_err(|error| {
            // The one kind that asks for another attempt.
            if error.kind() != ErrorKind::Interrupted {
                self.failed = Some((error.kind(), error.to_string()));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content that is interrupted, fails, and then goes on.
    struct Failing(u8);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(ErrorKind::Interrupted.into()),
                2 => Ok(buffer.len()),
                3 => Err(Error::new(ErrorKind::InvalidData, "damage")),
                _ => panic!("asked again after an error"),
            }
        }
    }

    #[test]
    fn what_failed_is_not_asked_again() {
        let mut fused = Fused::new(Failing(0));
        let mut buffer = [0; 3];
        assert_eq!(fused.read(&mut buffer).unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(fused.read(&mut buffer).unwrap(), 3);
        for _ in 0..2 {
            let error = fused.read(&mut buffer).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidData, "damage"));
        }
    }
}
