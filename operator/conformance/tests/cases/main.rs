//! Holds the cases in `cases/` against the predictor, and against the list of what needs one.

mod case;
mod check;
mod diagnoses;
mod drawing;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use case::File;

/// The lines of the semantics that speak of what policies say of one flow. The others are about
/// observing it, about Services, whose flows are flows to their pods, or about the network's own
/// time and limits.
const LAW: [u32; 43] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27,
    28, 29, 30, 31, 36, 37, 38, 39, 40, 44, 45, 46, 47, 48, 49, 56, 57,
];

/// The ones of Kubernetes' own end-to-end cases that exist for UDP and SCTP too.
const UPSTREAM_OTHER_PROTOCOLS: [u32; 3] = [1, 13, 14];

#[test]
fn every_case_holds() {
    let files = files();
    let reports: Vec<_> = files.iter().map(|(name, file)| check::check(name, file)).collect();
    let cases: usize = files.iter().map(|(_, file)| file.cases.len()).sum();
    let cells: usize = reports.iter().map(|report| report.cells).sum();
    println!("{cases} cases, {cells} cells");
    let failures: Vec<_> = reports.into_iter().flat_map(|report| report.failures).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_line_of_the_law_has_a_case() {
    let shown: BTreeSet<u32> =
        files().into_iter().flat_map(|(_, file)| file.cases).flat_map(|case| case.law).collect();
    let missing: Vec<_> = LAW.iter().filter(|line| !shown.contains(line)).collect();
    assert!(missing.is_empty(), "no case shows lines {missing:?}");
}

#[test]
fn every_upstream_case_is_here() {
    let shown: BTreeSet<String> = files()
        .into_iter()
        .flat_map(|(_, file)| file.cases)
        .flat_map(|case| case.upstream)
        .collect();
    let others = UPSTREAM_OTHER_PROTOCOLS.iter().flat_map(|n| [format!("U{n}"), format!("S{n}")]);
    let all: BTreeSet<String> = (1..=42).map(|n| format!("E{n}")).chain(others).collect();
    assert_eq!(shown, all);
}

/// How many cases have to tell each fault from all others.
const NAMED: usize = 3;

#[test]
fn every_fault_is_found_where_it_shows() {
    let mut tallies = BTreeMap::new();
    let worlds: Vec<_> = files().iter().flat_map(|(_, file)| diagnoses::worlds(file)).collect();
    let wrong: Vec<_> =
        worlds.iter().flat_map(|world| diagnoses::diagnoses(world, &mut tallies)).collect();
    for (name, tally) in &tallies {
        println!(
            "{name:28} shows in {:3} of {} cases, named in {:3}",
            tally.shows,
            worlds.len(),
            tally.named
        );
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let unnamed: Vec<_> =
        tallies.iter().filter(|(_, tally)| tally.named < NAMED).map(|(name, _)| name).collect();
    assert!(unnamed.is_empty(), "named in too few cases: {unnamed:?}");
}

fn files() -> Vec<(String, File)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
    let entries = fs::read_dir(folder).expect("cases are beside the tests");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path)))
        .collect()
}

fn read(path: &PathBuf) -> File {
    let text = fs::read_to_string(path).expect("readable file");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
