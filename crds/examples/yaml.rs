//! Writes the CRDs as YAML, one file each, into the directory that is named; prints them if none
//! is.

use std::{fs, path::PathBuf};

fn main() -> std::io::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    for crd in netproof_crds::all_crds() {
        let yaml = serde_saphyr::to_string(&crd).expect("a CRD is plain data");
        let yaml = format!("# Written by `{}`.\n---\n{yaml}", netproof_crds::REGENERATE);
        match &directory {
            Some(directory) => {
                fs::write(directory.join(format!("{}.yaml", crd.spec.names.plural)), yaml)?;
            }
            None => print!("{yaml}"),
        }
    }
    Ok(())
}
