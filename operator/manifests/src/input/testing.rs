//! Reads texts, and files that exist as long as a test runs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use netproof_conformance::pod::Pod;

use super::{Input, read_bytes};

/// Reads a text as a file called `input.yaml`.
pub fn yaml(text: &str) -> Input {
    read_bytes("input.yaml", text.into(), "default")
}

/// Reads a text as a file called `input.json`.
pub fn json(text: &str) -> Input {
    read_bytes("input.json", text.into(), "default")
}

impl Input {
    /// Everything that is wrong, as it is printed.
    pub fn problems(&self) -> Vec<String> {
        let unreadable = self.unreadable.iter().map(ToString::to_string);
        unreadable.chain(self.cluster.rejected.iter().map(ToString::to_string)).collect()
    }

    /// The names of the pods, once nothing is wrong.
    pub fn names(&self) -> Vec<String> {
        assert_eq!(self.problems(), [""; 0]);
        self.cluster.snapshot.pods.iter().map(|pod| pod.name.to_string()).collect()
    }

    /// The only pod, once nothing is wrong.
    pub fn pod(&self) -> &Pod {
        assert_eq!(self.names().len(), 1);
        &self.cluster.snapshot.pods[0]
    }
}

/// A directory with files in it, removed when this is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("netproof-input-{}-{count}", process::id()));
        for (name, text) in files {
            let file = path.join(name);
            fs::create_dir_all(file.parent().expect("a file has a directory"))
                .expect("a directory");
            fs::write(file, text).expect("a file");
        }
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the directory. Its own path is left out of the messages.
    pub fn read(&self) -> Input {
        self.read_these(std::slice::from_ref(&self.0))
    }

    /// Reads all of these files in the directory, each by its name. The directory's path is left
    /// out.
    pub fn read_named(&self, files: &[&str]) -> Input {
        self.read_these(&files.iter().map(|file| self.0.join(file)).collect::<Vec<_>>())
    }

    fn read_these(&self, paths: &[PathBuf]) -> Input {
        let mut input = super::read(paths, "default");
        let prefix = format!("{}/", self.0.display());
        for unreadable in &mut input.unreadable {
            let name = unreadable.input.strip_prefix(&prefix).unwrap_or("DIRECTORY");
            unreadable.input = Arc::from(name);
        }
        for rejected in &mut input.cluster.rejected {
            let name = rejected.at.input.strip_prefix(&prefix).unwrap_or("DIRECTORY");
            rejected.at.input = Arc::from(name);
        }
        for note in &mut input.notes {
            *note = note.replace(&prefix, "");
        }
        input
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
