//! What PID 1 of a pod owes: it ends when told to, and reaps the children that it inherits.

use std::io;

use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
};
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

/// The handlers of SIGTERM, SIGINT and SIGCHLD. To PID 1 the kernel delivers no signal that has no
/// handler.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    child: Signal,
}

impl Signals {
    /// Installs the handlers: no signal from now on is missed.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn attend() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// Reaps children until SIGTERM or SIGINT comes. Cancel safe.
    pub async fn until_told_to_end(mut self) {
        loop {
            select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.child.recv() => { reap(); }
            }
        }
    }
}

/// Reaps every child that has ended, and returns how many there were.
pub fn reap() -> usize {
    let mut count = 0;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return count,
            Ok(_) => count += 1,
            Err(Errno::EINTR) => {}
            Err(error) => unreachable!("waitpid of any child, without blocking: {error}"),
        }
    }
}
