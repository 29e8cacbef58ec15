//! Bytes that an API server answers, counted on their way.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

pub(crate) struct Counter {
    pub(crate) address: SocketAddr,
    answered: Arc<AtomicU64>,
}

impl Counter {
    /// Listens for those who would ask `server`, and passes on what both sides say as it is, encrypted.
    pub(crate) fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let counter = Self { address: listener.local_addr().unwrap(), answered: Arc::default() };
        let (server, answered) = (server.to_owned(), Arc::clone(&counter.answered));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).unwrap();
                let [asks, answers] = [&client, &server].map(|stream| stream.try_clone().unwrap());
                thread::spawn(move || pass(asks, server, &AtomicU64::default()));
                let answered = Arc::clone(&answered);
                thread::spawn(move || pass(answers, client, &answered));
            }
        });
        counter
    }

    /// How many bytes the server has answered.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Passes on what one side says until it, or the other, is gone.
fn pass(mut from: TcpStream, mut to: TcpStream, passed: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    let ended: io::Result<()> = loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) => break Err(error),
        };
        if let Err(error) = to.write_all(&buffer[..read]) {
            break Err(error);
        }
        passed.fetch_add(read as u64, Ordering::Relaxed);
    };
    // A side that ends well has said all: the other one may still answer.
    let how = if ended.is_ok() { std::net::Shutdown::Write } else { std::net::Shutdown::Both };
    let _ = to.shutdown(how);
}
