//! Checks what the API server takes for a name, a label or a port's name
//! (`k8s.io/apimachinery/pkg/util/validation`).

use super::rejected::PolicyProblem;

/// Checks a name that an object can have, by the rule of its kind.
pub(super) fn object_name(
    name: &str,
    is_valid: impl Fn(&str) -> bool,
) -> Result<(), PolicyProblem> {
    match name {
        "" => Err(PolicyProblem::Missing),
        name if is_valid(name) => Ok(()),
        name => Err(PolicyProblem::Name(name.to_owned())),
    }
}

/// Whether a text is a key of a label: a name, which a DNS name and a slash may precede.
pub(crate) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_qualified_name(key),
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_qualified_name(name),
    }
}

/// Whether a text is a value of a label: empty, or a name.
pub(crate) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified_name(value)
}

/// Whether a text is a name of most kinds of objects: DNS labels with dots between them.
pub(crate) fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label_of_any_length)
}

/// Whether a text is a name of a namespace: a DNS label.
pub(crate) fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && is_dns_label_of_any_length(name)
}

/// Whether a text is a name of a port, which RFC 6335 calls a service name; here in lower case
/// only.
pub(crate) fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.contains("--")
        && is_dns_label_of_any_length(name)
}

fn is_qualified_name(name: &str) -> bool {
    name.len() <= 63
        && is_fenced(name, |byte| byte.is_ascii_alphanumeric(), |byte| b"-_.".contains(&byte))
}

fn is_dns_label_of_any_length(name: &str) -> bool {
    let outside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_fenced(name, outside, |byte| byte == b'-')
}

/// Whether all bytes are of the one kind or the other, and the first and the last of the one.
fn is_fenced(name: &str, outside: impl Fn(u8) -> bool, inside: impl Fn(u8) -> bool) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|&byte| outside(byte))
        && bytes.last().is_some_and(|&byte| outside(byte))
        && bytes.iter().all(|&byte| outside(byte) || inside(byte))
}

/// Whether a text is a part of a domain name by the pattern of `domainNames`. The `A-z` of that
/// pattern takes in the six characters of ASCII between the capitals and the others; so does this.
pub(super) fn is_domain_label(label: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'z').contains(&byte);
    match label.as_bytes() {
        [] => false,
        [only] => first(*only),
        [head, middle @ .., last] => {
            first(*head)
                && last.is_ascii_alphanumeric()
                && middle.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }
    }
}
