//! Templates: texts with `{{ }}` in them that become manifests once they are rendered.

use super::{document, yaml};

/// A text that is a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextTemplate {
    /// The line at which it is no valid YAML.
    pub(super) line: u32,
    /// What the parser says of that line.
    pub(super) problem: String,
    /// Whether a policy may come out of the template.
    pub(super) has_policies: bool,
}

impl TextTemplate {
    /// The template in a text that has `{{` in it and is no valid YAML; none in any other text. A
    /// text that is valid YAML has its braces in strings.
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

/// Whether a kind that the text names is one of a policy, or may become one.
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
