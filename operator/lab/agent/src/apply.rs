//! Hands scripts to the node's own `nft`, which runs each as one transaction: all of it or nothing.

use std::{
    io,
    os::unix::fs::chroot,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use thiserror::Error;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// The path of nft under the node's root.
const NFT: &str = "/usr/sbin/nft";

/// The longest that nft may take. Far more than the largest script does; the kernel's transaction
/// lock is shared with kube-proxy.
const DEADLINE: Duration = Duration::from_secs(10);

/// The node's own `nft`.
#[derive(Clone, Debug)]
pub struct Nft {
    /// The node's root directory, as this process sees it.
    root: PathBuf,
}

/// Why a script is not known to be in force.
#[derive(Debug, Error)]
pub enum NftError {
    /// nft could not be started, or not be given the script.
    #[error("nft did not run under {root}")]
    Run {
        /// The node's root directory.
        root: PathBuf,
        /// The error of starting or writing.
        source: io::Error,
    },
    /// nft or the kernel refused the script; what nft wrote to stderr.
    #[error("nft refused the script: {0}")]
    Refused(String),
    /// nft took longer than 10 s; whether the script had an effect is not known.
    #[error("nft did not end within {DEADLINE:?}")]
    Deadline,
}

impl Nft {
    /// The nft of the node with its root directory at `root`, as this process sees it. With `/`, no
    /// change of the root is needed, nor the right to one.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Puts a script in force, all of it or nothing. Ends within 10 s. nft is killed if the future
    /// is dropped; whether the script had an effect is not known then.
    pub async fn run(&self, script: &str) -> Result<(), NftError> {
        let output = timeout(DEADLINE, self.feed(script)).await.map_err(|_| NftError::Deadline)?;
        let output = output.map_err(|source| NftError::Run { root: self.root.clone(), source })?;
        if output.status.success() {
            Ok(())
        } else {
            Err(NftError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }

    async fn feed(&self, script: &str) -> io::Result<std::process::Output> {
        let mut child = self
            .command()
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // nft reads all of its input before it writes anything, so that neither side waits for the
        // other.
        stdin.write_all(script.as_bytes()).await?;
        drop(stdin);
        child.wait_with_output().await
    }

    /// nft with the node's root as its own, so that it finds the node's libraries. It is started
    /// from the calling thread, and programs that thread's network namespace.
    fn command(&self) -> Command {
        if self.root == Path::new("/") { Command::new(own()) } else { self.in_root() }
    }

    #[allow(unsafe_code, reason = "the only way to change the root of a child alone")]
    fn in_root(&self) -> Command {
        let mut command = Command::new(NFT);
        let root = self.root.clone();
        // SAFETY: between fork and exec only two system calls are made; a path this short is
        // passed to them from the stack, so that nothing is allocated or locked.
        unsafe {
            command.pre_exec(move || {
                chroot(&root)?;
                std::env::set_current_dir("/")
            });
        }
        command
    }
}

/// The nft of this root directory. Distributions differ about its place, and a user's `PATH` may
/// lack both.
fn own() -> &'static Path {
    let places = [NFT, "/sbin/nft"].map(Path::new);
    places.into_iter().find(|place| place.exists()).unwrap_or(Path::new("nft"))
}
