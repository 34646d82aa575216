//! Templates: texts with `{{ }}` in them that become manifests once they are rendered.

use super::{document, yaml};

/// A text that is a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextTemplate {
    /// Where it is no YAML.
    pub(super) line: u32,
    /// What the parser says of it there.
    pub(super) problem: String,
    /// Whether a policy may come out of it.
    pub(super) has_policies: bool,
}

impl TextTemplate {
    /// A text that is no YAML as it is, and has `{{` in it. What is YAML all the same is no
    /// template to us: its braces are in strings.
    pub(super) fn of(text: &str) -> Option<Self> {
        if !text.contains("{{") || document::is_json(text) {
            return None;
        }
        let mut broken = None;
        yaml::documents(text, |_, document| {
            if let Err(problem) = document {
                broken.get_or_insert(problem);
            }
        });
        let yaml::Broken { line, problem } = broken?;
        Some(Self { line, problem, has_policies: has_policies(text) })
    }
}

/// Whether a kind that is named in the text is one of a policy, or may become one.
fn has_policies(text: &str) -> bool {
    let kinds = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
        let value = line.strip_prefix("kind")?.trim_start_matches(['"', '\'']).trim_start();
        value.strip_prefix(':')
    });
    let mut kinds = kinds.map(str::to_ascii_lowercase);
    let has_group = text.contains("networking.k8s.io");
    kinds.any(|kind| kind.contains("networkpolic") || (has_group && kind.contains("{{")))
}
