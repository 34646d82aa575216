//! The CEL rules by which the API server refuses what a schema cannot, each with its sentence.
//!
//! Rules that read a duration pass when the text is not one: its own rule has said so already.

use kube::core::{Message, Rule};

use crate::duration;

/// A rule with a fixed message.
fn rule(expression: impl Into<String>, sentence: &str) -> Rule {
    Rule { rule: expression.into(), ..Rule::default() }.message(sentence)
}

/// An expression that holds if one of the fields is no duration, or if `condition` holds.
fn unless_malformed(fields: &[&str], condition: &str) -> String {
    let guards = fields.iter().map(|field| format!("!{field}.matches('{}')", duration::PATTERN));
    guards.chain([condition.to_owned()]).collect::<Vec<_>>().join(" || ")
}

pub fn interval_not_below_timeout() -> Rule {
    rule(
        unless_malformed(
            &["self.interval", "self.timeout"],
            "duration(self.interval) >= duration(self.timeout)",
        ),
        "interval must not be below timeout: a round cannot be shorter than one attempt",
    )
    .field_path(".interval")
}

pub fn settle_not_below_timeout() -> Rule {
    rule(
        unless_malformed(
            &["self.settle", "self.timeout"],
            "duration(self.settle) >= duration(self.timeout)",
        ),
        "settle must not be below timeout: a change cannot be seen sooner than one attempt takes",
    )
    .field_path(".settle")
}

pub fn timeout_in_range() -> Rule {
    rule(
        unless_malformed(
            &["self"],
            "(duration(self) >= duration('50ms') && duration(self) <= duration('60s'))",
        ),
        "timeout must be between 50ms and 60s",
    )
}

pub fn renew_not_too_often() -> Rule {
    rule(
        unless_malformed(&["self"], "duration(self) >= duration('1m')"),
        "renew must be at least 1m: a new probe pod has to settle before the next one comes",
    )
}

pub fn someone_can_attempt() -> Rule {
    rule(
        "self.endpoints.exists(e, has(e.standIn))",
        "at least one endpoint must be a standIn: an external address cannot attempt a connection",
    )
    .field_path(".endpoints")
}

// The two rules that follow are quadratic in what a test names. `sets` keeps the largest test that
// the schema admits within what the API server lets one rule cost; `exists` does not.

pub fn checks_name_endpoints() -> Rule {
    let known = "sets.contains(self.endpoints.map(e, e.name), c.from + c.to)";
    let unknown = "(c.from + c.to).filter(n, !self.endpoints.exists(e, e.name == n))";
    Rule {
        rule: format!("!has(self.checks) || self.checks.all(c, {known})"),
        message: Some(Message::Expression(format!(
            // `format`, as the API server holds `+` on strings of unknown length to be too costly.
            "'a check names an endpoint that does not exist: %s'.format([self.checks.map(c, \
             {known} ? [] : {unknown}).filter(names, size(names) > 0)[0][0]])"
        ))),
        ..Rule::default()
    }
    .field_path(".checks")
}

pub fn checks_start_at_stand_ins() -> Rule {
    let external = "self.endpoints.filter(e, has(e.external)).map(e, e.name)";
    rule(
        format!("!has(self.checks) || self.checks.all(c, !sets.intersects({external}, c.from))"),
        "a check cannot be from an external endpoint: an external address cannot attempt a \
         connection; name it under to",
    )
    .field_path(".checks")
}

pub fn name_not_too_long() -> Rule {
    rule(
        "self.metadata.name.size() <= 63",
        "the name of a ConnectivityTest must not be longer than 63 characters: the names of its pods begin with it",
    )
}

pub fn stand_in_or_external() -> Rule {
    rule(
        "has(self.standIn) != has(self.external)",
        "an endpoint must have exactly one of standIn and external",
    )
}

pub fn labels_or_like() -> Rule {
    rule("has(self.labels) != has(self.like)", "a standIn must have exactly one of labels and like")
}

pub fn dns_label() -> Rule {
    rule(
        "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
        "an endpoint's name must consist of a-z, 0-9 and hyphens, and begin and end with a letter or digit",
    )
}

pub fn port_name() -> Rule {
    rule(
        "self.matches('^[a-z0-9]+(-[a-z0-9]+)*$') && self.matches('[a-z]')",
        "a port's name must consist of a-z, 0-9 and single hyphens inside, with at least one letter",
    )
}

pub fn unique_port_names() -> Rule {
    rule(
        "self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))",
        "two ports of one endpoint cannot have the same name",
    )
}

pub fn no_udp() -> Rule {
    rule(
        "self.all(p, p.protocol != 'UDP')",
        "an external endpoint cannot have a UDP port: nothing there proves that a datagram arrived",
    )
}

pub fn plain_address() -> Rule {
    rule(
        "isIP(self)",
        "address must be a plain IPv4 or IPv6 address such as 192.0.2.10 or 2001:db8::10, \
         without mask, port or name",
    )
}

pub fn reachable_address() -> Rule {
    rule(
        "!isIP(self) || ip(self).isGlobalUnicast()",
        "address must not be loopback, link-local, multicast, broadcast or unspecified",
    )
}

pub fn label_keys() -> Rule {
    rule(
        "self.all(k, k.matches('^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?\
         [A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$'))",
        "a label's key must be a name of at most 63 letters, digits, -, _ and ., optionally after \
         a DNS name and a slash",
    )
}

pub fn label_values() -> Rule {
    rule(
        "self.all(k, self[k].matches('^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$'))",
        "a label's value must be empty or consist of letters, digits, -, _ and ., and begin and \
         end with a letter or digit",
    )
}

pub fn no_labels_of_ours() -> Rule {
    rule(
        "self.all(k, !k.startsWith('netproof.dev/'))",
        "labels under netproof.dev/ are netproof's own and cannot be given to a standIn",
    )
}

pub fn scale_is_zero() -> Rule {
    rule(
        "self == 0",
        "the scale of a StandInSet is always 0, so that disruption budgets do not count its pods",
    )
}
