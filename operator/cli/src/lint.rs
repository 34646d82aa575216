//! The command `netproof lint`.

use std::{
    env,
    io::{self, Write},
    path::Path,
};

use netproof_conformance::{
    flow::Port,
    lint::{self, Code, LintContext, LintFinding, LintedPolicy, Object, Severity},
    manifest::{Source, WrittenPolicy},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{exit_status::ExitStatus, loaded::Loaded, progress::ProgressLine};
use crate::args::{LintArgs, offline::LintFormat};

/// The names of inputs that are no files.
const NO_FILES: [&str; 2] = ["stdin", "cluster"];

/// The characters that a path in a URI cannot have: all but what RFC 3986 calls unreserved, and the
/// slash.
const NOT_IN_PATHS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Checks the policies that the arguments name, and writes the findings to standard output.
pub fn run(args: &LintArgs) -> anyhow::Result<ExitStatus> {
    let loaded = Loaded::load(&args.input)?;
    let findings = findings(&loaded);
    let mut out = io::stdout().lock();
    match args.output {
        LintFormat::Text => text(&findings, &mut out)?,
        LintFormat::Json => pretty(&Value::Array(findings.iter().map(object).collect()), &mut out)?,
        LintFormat::Sarif => pretty(&sarif(&findings), &mut out)?,
    }
    out.flush()?;
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        findings.iter().filter(|(_, finding)| finding.code.severity() == severity).count()
    });
    let [errors, warnings, notes] = counts;
    if !args.input.quiet {
        let _ = writeln!(io::stderr(), "{errors} errors, {warnings} warnings, {notes} notes");
    }
    // A note speaks against nothing.
    Ok(if errors + warnings == 0 { ExitStatus::Fine } else { ExitStatus::No })
}

type Located<'a> = (Option<&'a Source>, LintFinding);

/// All findings, sorted by file and line.
fn findings(loaded: &Loaded) -> Vec<Located<'_>> {
    let _progress = ProgressLine::start("Checking");
    let written: Vec<LintedPolicy<'_>> = loaded.written.iter().map(as_written).collect();
    let declared: Vec<Vec<Port>> =
        loaded.origins.iter().map(|origin| origin.declared.clone()).collect();
    let known = LintContext { written: &written, declared: Some(&declared) };
    let found = lint::lint(loaded.snapshot(), known);
    let mut located: Vec<Located<'_>> =
        found.into_iter().map(|finding| (source(&finding.object, loaded), finding)).collect();
    located.sort();
    located
}

fn as_written(WrittenPolicy { policy, has_empty_egress }: &WrittenPolicy) -> LintedPolicy<'_> {
    if *has_empty_egress {
        LintedPolicy::with_empty_egress(policy)
    } else {
        LintedPolicy::new(policy)
    }
}

fn source<'a>(object: &Object, loaded: &'a Loaded) -> Option<&'a Source> {
    let snapshot = loaded.snapshot();
    match object {
        Object::NetworkPolicy(name) => {
            let place = snapshot.policies.iter().position(|policy| policy.name == *name)?;
            loaded.sources.policies.get(place)
        }
        Object::Cluster(name) => {
            let place = snapshot.cluster_policies.iter().position(|one| one.name == *name)?;
            loaded.sources.cluster_policies.get(place)
        }
    }
}

fn text(findings: &[Located<'_>], out: &mut impl Write) -> io::Result<()> {
    for (source, LintFinding { object, field, code, sentence, fix }) in findings {
        if let Some(source) = source {
            write!(out, "{source}: ")?;
        }
        writeln!(
            out,
            "{} {} {object} {field}: {sentence} Fix: {fix}",
            code.severity(),
            code.text()
        )?;
    }
    Ok(())
}

fn object((source, finding): &Located<'_>) -> Value {
    json!({
        "file": source.map(|source| &*source.input),
        "line": source.and_then(|source| source.line),
        "code": finding.code.text(),
        "severity": finding.code.severity().to_string(),
        "object": finding.object.to_string(),
        "field": finding.field,
        "sentence": finding.sentence,
        "fix": finding.fix,
    })
}

fn pretty(value: &Value, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The findings as SARIF 2.1.0 (OASIS), as code hosts read it.
fn sarif(findings: &[Located<'_>]) -> Value {
    let rules: Vec<Value> = Code::ALL
        .iter()
        .map(|code| {
            json!({
                "id": code.text(),
                "name": format!("{code:?}"),
                "shortDescription": {"text": code.title()},
                "fullDescription": {"text": code.help()},
                "help": {"text": code.help()},
                "defaultConfiguration": {"level": code.severity().to_string()},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "netproof",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "utf16CodeUnits",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result((source, finding): &Located<'_>) -> Value {
    let code = finding.code;
    let mut location = json!({
        "logicalLocations": [{
            "fullyQualifiedName": format!("{} {}", finding.object, finding.field),
            "kind": "object",
        }],
    });
    if let Some(source) = source.filter(|source| !NO_FILES.contains(&&*source.input)) {
        let mut physical = json!({"artifactLocation": {"uri": uri(&source.input)}});
        if let Some(line) = source.line {
            physical["region"] = json!({"startLine": line});
        }
        location["physicalLocation"] = physical;
    }
    json!({
        "ruleId": code.text(),
        "ruleIndex": Code::ALL.iter().position(|one| *one == code),
        "level": code.severity().to_string(),
        "message": {"text": format!("{} {}: {} Fix: {}", finding.object, finding.field, finding.sentence, finding.fix)},
        "locations": [location],
    })
}

/// A file as a URI, relative to the current directory if the file is below it; characters that a
/// URI cannot have are percent-encoded.
fn uri(file: &str) -> String {
    let here = env::current_dir().unwrap_or_default();
    let path = Path::new(file);
    let path = path.strip_prefix(&here).or_else(|_| path.strip_prefix("./")).unwrap_or(path);
    let scheme = if path.is_absolute() { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(&path.to_string_lossy(), NOT_IN_PATHS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_what_it_cannot_have_as_escapes() {
        assert_eq!(uri("./a_b/c-d.~1/x.yaml"), "a_b/c-d.~1/x.yaml");
        assert_eq!(uri("/a b/50%/ü?#:.yaml"), "file:///a%20b/50%25/%C3%BC%3F%23%3A.yaml");
    }
}
