//! Runs the binary on files of the test's own.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    env, fs,
    io::Write,
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

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
