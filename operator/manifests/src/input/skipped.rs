//! Files of a directory that are skipped, since they are no objects.

use std::{fmt, sync::Arc};

/// A file of which something is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    /// The path of the file.
    pub(super) input: Arc<str>,
    /// What the file has instead of an object.
    pub(super) why: SkipReason,
}

/// What a file has instead of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SkipReason {
    /// Anything else: values, a chart, a list of patches, nothing.
    NoObject,
    /// A part of an object, by which a kustomization changes others.
    Patch,
    /// A template of something that is no policy.
    Template,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.input)?;
        match self.why {
            SkipReason::NoObject => Ok(()),
            SkipReason::Patch => f.write_str(" (a patch of a kustomization, which is not applied)"),
            SkipReason::Template => f.write_str(" (a template, which is not rendered)"),
        }
    }
}

/// All skipped files in one sentence; none if there are none.
pub(super) fn note(skipped: &[Skipped]) -> Option<String> {
    let files: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    match files.len() {
        0 => None,
        1 => Some(format!("no object of Kubernetes, and skipped: {}", files.join(", "))),
        count => Some(format!(
            "no objects of Kubernetes, and skipped: {count} files: {}",
            files.join(", ")
        )),
    }
}
