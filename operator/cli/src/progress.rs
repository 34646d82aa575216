//! Shows on a terminal that long work goes on.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long work has to take before a line is shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the line is drawn again.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on standard error that says how far work is. Dropping this removes the line. There is
/// none if standard error is no terminal.
#[derive(Debug)]
pub struct ProgressLine {
    done: Arc<AtomicU64>,
    line: Option<(Sender<()>, JoinHandle<()>)>,
}

impl ProgressLine {
    /// Starts the line of work with an unknown number of steps.
    pub fn start(what: &str) -> Self {
        Self::towards(what, 0)
    }

    /// Starts the line of work with this number of steps; 0 if it is not known.
    pub fn towards(what: &str, total: u64) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let line = io::stderr().is_terminal().then(|| {
            let (stop, stopped) = mpsc::channel();
            let (what, done) = (what.to_owned(), done.clone());
            let start = Instant::now();
            let draw = move || {
                let mut pause = PATIENCE;
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    pause = INTERVAL;
                    let text = text(&what, done.load(Ordering::Relaxed), total, start.elapsed());
                    // An error means that the terminal is gone, which needs no line.
                    let _ = write!(io::stderr(), "\r\x1b[K{text}");
                }
                if pause == INTERVAL {
                    let _ = write!(io::stderr(), "\r\x1b[K");
                }
            };
            (stop, thread::spawn(draw))
        });
        Self { done, line }
    }

    /// Sets how many steps are done.
    pub fn at(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.line.take() {
            drop(stop);
            // The thread draws and nothing else; its panic would change no answer.
            let _ = thread.join();
        }
    }
}

fn text(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match (done, total) {
        (0, 0) => format!("{what} … {seconds} s"),
        (done, 0) => format!("{what} … {done}, {seconds} s"),
        (done, total) => format!("{what} … {} %, {seconds} s", done.saturating_mul(100) / total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let elapsed = Duration::from_millis(3200);
        assert_eq!(text("Reading", 0, 0, elapsed), "Reading … 3 s");
        assert_eq!(text("Answering", 7, 0, elapsed), "Answering … 7, 3 s");
        assert_eq!(text("Predicting", 25, 200, elapsed), "Predicting … 12 %, 3 s");
    }
}
