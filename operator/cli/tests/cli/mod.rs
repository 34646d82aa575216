//! Runs the binary on files of the test's own.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    env, fs,
    io::Write,
    iter,
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub fn netproof(arguments: &[&str]) -> Run {
    with_stdin(arguments, "")
}

pub fn with_stdin(arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // The binary may end without having read everything.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run {
        code: output.status.code().expect("no signal"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs a command of the binary on files that hold these texts, each given with `-f` in this order.
/// The arguments in `more` follow.
pub fn netproof_on(command: &str, files: &[(&str, &str)], more: &[&str]) -> Run {
    netproof_on_with_stdin(command, files, more, "")
}

/// Runs a command like [`netproof_on`], with text on the standard input.
pub fn netproof_on_with_stdin(
    command: &str,
    files: &[(&str, &str)],
    more: &[&str],
    input: &str,
) -> Run {
    let folder = directory(files);
    let paths: Vec<String> = files.iter().map(|(name, _)| folder.path(name)).collect();
    let files = paths.iter().flat_map(|path| ["-f", path]);
    let arguments: Vec<&str> =
        iter::once(command).chain(files).chain(more.iter().copied()).collect();
    with_stdin(&arguments, input)
}

impl Run {
    /// What was written to the standard output, as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What was written to the standard output, as one JSON value a line.
    pub fn json_lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line);
        let values: Result<_, _> = self.stdout.lines().map(read).collect();
        values.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A directory that is removed when this value is dropped.
pub struct Directory(PathBuf);

pub fn directory(files: &[(&str, &str)]) -> Directory {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("netproof-test-{}-{number}", process::id()));
    fs::create_dir(&path).expect("a directory");
    for (name, text) in files {
        fs::write(path.join(name), text).expect("a file");
    }
    Directory(path)
}

impl Directory {
    pub fn path(&self, file: &str) -> String {
        self.0.join(file).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
