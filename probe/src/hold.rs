//! Keeps connections open between requests, so that a later request can say what became of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{net::TcpStream, time::Instant};

use crate::{
    challenge::Nonce,
    dial::{self, Attempted, Hold},
    source_ports::SourcePorts,
    wire::{Fate, HOLD_S, MAX_HELD, Outcome},
};

/// The connections that are held, at most [`MAX_HELD`]. One that was not touched for [`HOLD_S`] is
/// closed when the next is opened, touched or released.
#[derive(Debug, Default)]
pub struct Held(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// How many connections are being opened or touched. They count towards [`MAX_HELD`] and are
    /// not in `kept`.
    busy: usize,
    kept: BTreeMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    stream: TcpStream,
    /// When the connection was opened, or last found alive.
    touched: Instant,
}

/// One of the [`MAX_HELD`] places, given back when this is dropped.
struct Room<'h>(&'h Held);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

impl Held {
    /// Opens a connection and keeps it. The second value is the connection's number, there if and
    /// only if it is connected and kept.
    pub async fn open(&self, hold: &Hold, ports: &SourcePorts) -> (Attempted, Option<u64>) {
        let Some(_room) = self.room() else {
            let why = format!("{MAX_HELD} connections are held already");
            let outcome = Outcome::Failed { why };
            return (Attempted { outcome, source_port: None, elapsed: Duration::ZERO }, None);
        };
        let (attempted, stream) = dial::hold(hold, ports).await;
        let held = stream.map(|stream| {
            let mut inner = self.lock();
            inner.next += 1;
            let name = inner.next;
            inner.kept.insert(name, Kept { stream, touched: Instant::now() });
            name
        });
        (attempted, held)
    }

    /// Asks whether a connection still carries an answer. Unless it is found alive within
    /// `patience` it is closed; so it is if the future is dropped.
    pub async fn touch(&self, held: u64, nonce: &Nonce, patience: Duration) -> Fate {
        let taken = self.take(held);
        let Some((mut stream, _room)) = taken else { return Fate::NotHeld };
        let fate = dial::touch(&mut stream, nonce, patience).await;
        if let Fate::Alive { .. } = fate {
            self.lock().kept.insert(held, Kept { stream, touched: Instant::now() });
        }
        fate
    }

    /// Closes a connection with a reset, if it is held.
    pub fn release(&self, held: u64) {
        drop(self.take(held));
    }

    fn room(&self) -> Option<Room<'_>> {
        let mut inner = self.lock();
        inner.forget_old();
        (inner.busy + inner.kept.len() < MAX_HELD).then(|| {
            inner.busy += 1;
            Room(self)
        })
    }

    fn take(&self, held: u64) -> Option<(TcpStream, Room<'_>)> {
        let mut inner = self.lock();
        inner.forget_old();
        let kept = inner.kept.remove(&held)?;
        inner.busy += 1;
        Some((kept.stream, Room(self)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Inner {
    fn forget_old(&mut self) {
        self.kept.retain(|_, kept| kept.touched.elapsed() < Duration::from_secs(HOLD_S));
    }
}
