//! The YAML in `deploy/crds` is what the types make.

use std::{fs, path::Path};

use netproof_crds::{REGENERATE, all_crds};
use serde_json::Value;

#[test]
fn deployed_crds_are_those_of_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    for crd in all_crds() {
        let file = directory.join(format!("{}.yaml", crd.spec.names.plural));
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let committed: Value = serde_saphyr::from_str(&committed).unwrap_or_default();
        let made = serde_json::to_value(&crd).expect("a CRD is plain data");
        assert!(committed == made, "{} is out of date: run `{REGENERATE}`", file.display());
    }
}
