//! A program that goes on, and what it has written so far.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::cli::Run;

/// How long the words that are waited for may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    child: Child,
    stdout: Said,
    stderr: Said,
}

/// The text that has come out of a pipe.
struct Said {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Said {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let reader = thread::spawn({
            let text = Arc::clone(&text);
            move || {
                for line in BufReader::new(pipe).lines() {
                    let line = line.expect("UTF-8");
                    let mut text = text.lock().expect("nobody panicked");
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        self.text.lock().expect("nobody panicked").clone()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no panic");
        }
        self.so_far()
    }
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_netproof")).args(arguments))
    }

    fn of(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("it runs");
        let stdout = Said::of(child.stdout.take().expect("a pipe"));
        let stderr = Said::of(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program has written these words to either pipe; panics after [`PATIENCE`].
    pub fn wait_for(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while ![&self.stdout, &self.stderr].iter().any(|said| said.so_far().contains(words)) {
            let said = [self.stdout.so_far(), self.stderr.so_far()];
            assert!(Instant::now() < deadline, "{words:?} was not said: {said:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Waits for the program's end; the code of a signal is -1.
    pub fn end(&mut self) -> Run {
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        Run { code, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn finished(command: &mut Command) -> Run {
    Running::of(command).end()
}

/// The process ids of the probes that a lab has started.
pub fn probes_of(lab: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("a process file system").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_probe = |id: &u32| {
        let read = |file| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        let parent = read("status").lines().find_map(|line| {
            line.strip_prefix("PPid:").and_then(|number| number.trim().parse().ok())
        });
        parent == Some(lab) && read("cmdline").contains("lab-probe")
    };
    ids.filter(is_probe).collect()
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
