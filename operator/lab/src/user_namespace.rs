//! Gives this process the right to make network namespaces: its own if it is root's, or that of a
//! user namespace.

use std::{fs, io};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid},
};
use thiserror::Error;

const NEEDS: &str = "The lab needs one of these:
- to be run by root with CAP_SYS_ADMIN and CAP_NET_ADMIN: sudo netproof lab ...
- user namespaces for everybody: sysctl -w user.max_user_namespaces=15000 and, where they exist, \
kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0
- in a container: docker run --privileged, or --cap-add SYS_ADMIN --cap-add NET_ADMIN \
--security-opt seccomp=unconfined --security-opt apparmor=unconfined";

/// Why this machine does not let the process make network namespaces, and what to do.
#[derive(Debug, Error)]
pub enum Forbidden {
    /// Neither the caller's own rights nor a user namespace are enough.
    #[error("this machine does not let us make network namespaces: {0}.\n{NEEDS}")]
    Namespaces(Errno),
    /// The user namespace is there, and no user or group can be mapped into it.
    #[error(
        "this machine does not let us be root in a user namespace of our own: {path}: {source}.\n{NEEDS}"
    )]
    Mapping {
        /// The file that was to be written.
        path: &'static str,
        /// The error of writing.
        source: io::Error,
    },
}

/// Takes the right to make network namespaces. To be called before the process has a second thread:
/// the kernel gives a process with several threads no user namespace.
pub fn enter() -> Result<(), Forbidden> {
    let rights = || unshare(CloneFlags::CLONE_NEWNET);
    if Uid::effective().is_root() && rights().is_ok() {
        return Ok(());
    }
    let (user, group) = (Uid::effective(), Gid::effective());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(Forbidden::Namespaces)?;
    let write = |path, text: String| {
        fs::write(path, text).map_err(|source| Forbidden::Mapping { path, source })
    };
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    // Without this the kernel lets an unprivileged process map no group.
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    rights().map_err(Forbidden::Namespaces)
}
