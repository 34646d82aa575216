//! Kustomizations among the files: which of the others are their patches, and no objects.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::yaml;

/// What a kustomization may be called.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The files of directories by which kustomizations in them patch others, and that none of them has
/// among its resources.
pub(super) fn patches(directories: &[PathBuf]) -> BTreeSet<PathBuf> {
    let (mut patches, mut resources) = (BTreeSet::new(), BTreeSet::new());
    for directory in directories {
        for text in NAMES.iter().filter_map(|name| fs::read_to_string(directory.join(name)).ok()) {
            yaml::documents(&text, |_, document| {
                let Ok(yaml::Json { text, .. }) = document else { return };
                let Ok(kustomization) = serde_json::from_str::<Value>(text) else { return };
                patches
                    .extend(patch_files(&kustomization).filter_map(|file| real(directory, file)));
                let listed = strings(&kustomization["resources"]);
                resources.extend(listed.filter_map(|file| real(directory, file)));
            });
        }
    }
    patches.difference(&resources).cloned().collect()
}

fn patch_files(kustomization: &Value) -> impl Iterator<Item = &str> {
    let with_paths = ["patches", "patchesJson6902"].into_iter();
    let paths = with_paths
        .filter_map(|field| kustomization[field].as_array())
        .flatten()
        .filter_map(|patch| patch["path"].as_str());
    paths.chain(strings(&kustomization["patchesStrategicMerge"]))
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A file as it is called however it is reached; none where there is no such file, as of a patch
/// that is written out in its place.
fn real(directory: &Path, file: &str) -> Option<PathBuf> {
    fs::canonicalize(directory.join(file)).ok()
}
