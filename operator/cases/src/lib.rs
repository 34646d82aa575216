//! What policies have to mean: the law, the cases that show it, and random objects.
//!
//! The one reader of the files beside it (`README.md` says how they are written), for tests of
//! every reading of the API: the predictor, the policy agent, a network in the lab. Nothing but
//! tests depends on it.

mod error;

mod file;
mod text;

pub mod drawing;
mod port;

mod network;

mod law;

pub mod random;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use error::{CaseProblem, Error};
pub use file::{By, Case, CaseFile, Reasons, Refusal};
pub use law::{About, LawLine, law};
pub use network::NetworkCase;

/// All cases, file by file in the order of the files' names.
pub fn files() -> Result<Vec<CaseFile>, Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    paths(folder)
        .map_err(|source| Error::Read { path: folder.to_owned(), source })?
        .iter()
        .map(|path| CaseFile::read(path))
        .collect()
}

/// The cases that a network can be held against: of `NetworkPolicies` that the API server would
/// store, and of pods with networks of their own.
pub fn network_cases() -> Result<Vec<NetworkCase>, Error> {
    let of_file = |file: &CaseFile| {
        let of_case = |case| NetworkCase::of(&file.name, case);
        file.cases.iter().filter_map(of_case).collect::<Vec<_>>()
    };
    Ok(files()?.iter().flat_map(of_file).collect())
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    Ok(paths)
}
