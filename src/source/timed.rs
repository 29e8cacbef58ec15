//! The output of a program, which is not waited for for ever.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use super::files::BUFFER;

/// Reads what another thread takes in; after a deadline it fails with [`io::ErrorKind::TimedOut`].
#[derive(Debug)]
pub(super) struct Timed {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    /// How much of the piece was read.
    taken: usize,
    deadline: Option<Instant>,
}

impl Timed {
    /// It is not waited for longer than it takes, until [`Timed::until`] says otherwise; so many pieces are read ahead.
    pub(super) fn new(mut reader: impl Read + Send + 'static, ahead: usize) -> Self {
        let (sender, pieces) = sync_channel(ahead);
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; BUFFER];
                let read = loop {
                    match reader.read(&mut piece) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        read => break read,
                    }
                };
                let ends = !matches!(read, Ok(1..));
                let piece = read.map(|length| {
                    piece.truncate(length);
                    piece.shrink_to_fit();
                    piece
                });
                if sender.send(piece).is_err() || ends {
                    return;
                }
            }
        });
        Self { pieces, piece: Vec::new(), taken: 0, deadline: None }
    }

    /// Sets the deadline.
    pub(super) const fn until(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn next(&self) -> io::Result<Vec<u8>> {
        let Some(deadline) = self.deadline else {
            return self.pieces.recv().unwrap_or_else(|_| Ok(Vec::new()));
        };
        match self.pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Disconnected) => Ok(Vec::new()),
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            (self.piece, self.taken) = (self.next()?, 0);
        }
        let rest = &self.piece[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_is_read_in_order_and_silence_ends() {
        let text: Vec<u8> = (0..3 * BUFFER + 7).map(|at| (at % 251) as u8).collect();
        let mut read = Vec::new();
        Timed::new(io::Cursor::new(text.clone()), 2).read_to_end(&mut read).unwrap();
        assert!(read == text);
        let (silent, _writer) = io::pipe().unwrap();
        let mut timed = Timed::new(silent, 2);
        timed.until(Some(Instant::now() + Duration::from_millis(20)));
        assert_eq!(timed.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
