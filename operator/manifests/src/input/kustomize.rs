//! Finds the files that are patches of a kustomization, and so no objects.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::yaml;

/// The names that the file of a kustomization may have.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The files that kustomizations in these directories use as patches, and that none of them lists
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

/// The canonical path of a file; none if there is no such file, as for a patch that is written
/// inline.
fn real(directory: &Path, file: &str) -> Option<PathBuf> {
    fs::canonicalize(directory.join(file)).ok()
}
