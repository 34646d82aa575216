//! Puts what is known of a test into words: the matrix as text, and a sentence for each finding.

mod flow;

use std::{collections::BTreeSet, fmt::Write};

use crate::{
    expected::{Because, Decision, Expected, Ruling},
    flow::{Direction, Port},
    matrix::{Actor, Cell, Matrix},
    policy::{Isolation, Policy},
    reference::ObjectRef,
    verdict::{Outcome, Steadiness, Verdict, Why},
};

pub use flow::{EndReport, FlowReport};

/// What is known of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What the policies say.
    pub expected: Expected,
    /// What was seen last.
    pub outcome: Option<Outcome>,
    /// What all attempts of the flow together say.
    pub verdict: Verdict,
}

/// Where an actor is, in words: its pod, or its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `namespace/pod`, or an address outside.
    pub at: String,
    /// The node of the pod.
    pub node: Option<String>,
}

/// The matrix as three grids side by side: expected, observed, verdict.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     matrix::{Actor, Cell, Matrix},
///     report::{Line, grids},
///     verdict::{Outcome, Verdict},
/// };
///
/// let flow = flow("web", "db");
/// let cell = Cell { from: Actor::sole("web"), to: Actor::sole("db"), port: flow.port };
/// let line = Line {
///     expected: expect(&shop(), &flow),
///     outcome: Some(Outcome::Connected),
///     verdict: Verdict::Conforms,
/// };
/// let text = grids(&Matrix::from_iter([(cell, line)]));
/// assert!(text.contains("\nweb   .          .          .\n"), "{text}");
/// ```
pub fn grids(matrix: &Matrix<Line>) -> String {
    let rows: BTreeSet<&Actor> = matrix.iter().map(|(cell, _)| &cell.from).collect();
    let columns: BTreeSet<(&Actor, Port)> =
        matrix.iter().map(|(cell, _)| (&cell.to, cell.port)).collect();
    let stub = rows.iter().map(|row| row.to_string().len()).max().unwrap_or(0).max(4);
    let digits = columns.len().to_string().len();
    let width = (columns.len() * (digits + 1)).max("EXPECTED".len());
    let mut text =
        format!("{:stub$}  {:width$}   {:width$}   {}\n", "", "EXPECTED", "OBSERVED", "VERDICT");
    let padded = |glyph: String| -> String { format!("{glyph:>digits$} ") };
    let numbers: Vec<String> = (1..=columns.len()).map(|n| padded(n.to_string())).collect();
    let numbers = numbers.concat();
    let _ = writeln!(
        text,
        "{:stub$}  {numbers:width$}   {numbers:width$}   {}",
        "from",
        numbers.trim_end()
    );
    for row in rows {
        let lines: Vec<Option<&Line>> = columns
            .iter()
            .map(|(to, port)| {
                matrix.get(&Cell { from: row.clone(), to: (*to).clone(), port: *port })
            })
            .collect();
        let grid = |glyph: fn(&Line) -> char| -> String {
            let cells: Vec<String> =
                lines.iter().map(|line| padded(line.map_or(' ', glyph).to_string())).collect();
            cells.concat()
        };
        let [expected, observed, verdict] = [grid(expected), grid(observed), grid(verdict)];
        let _ = writeln!(
            text,
            "{row:stub$}  {expected:width$}   {observed:width$}   {}",
            verdict.trim_end()
        );
    }
    text.push('\n');
    for (number, (to, port)) in columns.iter().enumerate() {
        let _ = writeln!(text, "{:>digits$}  {to} {port}", number + 1);
    }
    text.push_str(
        "\nexpected: . allow, X deny, - left open by the API\n\
         observed: . connected, A arrived, R refused, T timed out, U unreachable, \
         F failed to attempt, ? not yet\n\
         verdict:  . conforms, L LEAK, B BLOCKED, s settling, - unspecified, ? inconclusive\n",
    );
    text
}

fn expected(line: &Line) -> char {
    match line.expected {
        Expected::Allow(_) => '.',
        Expected::Deny(_) => 'X',
        Expected::Unspecified(_) => '-',
    }
}

fn observed(line: &Line) -> char {
    match line.outcome {
        Some(Outcome::Connected) => '.',
        Some(Outcome::Arrived) => 'A',
        Some(Outcome::Refused) => 'R',
        Some(Outcome::TimedOut) => 'T',
        Some(Outcome::Unreachable(_)) => 'U',
        Some(Outcome::Failed(_)) => 'F',
        None => '?',
    }
}

fn verdict(line: &Line) -> char {
    match line.verdict {
        Verdict::Conforms => '.',
        Verdict::Leak(_) => 'L',
        Verdict::Blocked(_) => 'B',
        Verdict::Settling => 's',
        Verdict::Unspecified(_) => '-',
        Verdict::Inconclusive(_) => '?',
    }
}

/// A finding as a sentence: both ends, where they are, the port, what was seen, and the policies
/// and rules that say otherwise. `policies` are those of the snapshot.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     matrix::{Actor, Cell},
///     report::{Line, Place, sentence},
///     verdict::{Outcome, Steadiness, Verdict},
/// };
///
/// let (shop, flow) = (shop(), flow("job", "db"));
/// let line = Line {
///     expected: expect(&shop, &flow),
///     outcome: Some(Outcome::Connected),
///     verdict: Verdict::Leak(Steadiness::Steady),
/// };
/// let cell = Cell { from: Actor::sole("job"), to: Actor::sole("db"), port: flow.port };
/// let [from, to] = ["shop/job", "shop/db"].map(|at| Place { at: at.to_owned(), node: None });
/// assert_eq!(
///     sentence(&cell, &line, [&from, &to], &[&shop.policies[0]]),
///     "Leak: job (shop/job) to db (shop/db) port 5432/TCP: connected, but policy shop/db \
///      (isolates ingress; its rule ingress[0] does not admit it) should have stopped it."
/// );
/// ```
pub fn sentence(cell: &Cell, line: &Line, [from, to]: [&Place; 2], policies: &[&Policy]) -> String {
    let outcome = match (&line.verdict, &line.outcome) {
        // The last attempt alone may have gone as it should.
        (Verdict::Leak(Steadiness::Flapping { bad, of }), _) => {
            format!("connected in {bad} of the last {of} attempts")
        }
        (Verdict::Leak(Steadiness::Ceased { bad, of, quiet }), _) => {
            format!("connected in {bad} of the last {of} attempts, not in the last {quiet}")
        }
        (Verdict::Blocked(Steadiness::Flapping { bad, of }), _) => {
            format!("did not connect in {bad} of the last {of} attempts")
        }
        (_, Some(outcome)) => outcome.to_string(),
        (_, None) => "was not attempted".to_owned(),
    };
    let head = format!(
        "{} ({}) to {} ({}) port {}: {outcome}",
        cell.from,
        place(from),
        cell.to,
        place(to),
        cell.port
    );
    match (&line.verdict, &line.expected) {
        (Verdict::Leak(steady), Expected::Deny(because)) => {
            format!(
                "Leak{steady}: {head}, but {} should have stopped it.",
                denial(because, policies)
            )
        }
        (Verdict::Blocked(steady), Expected::Allow(because)) => {
            format!("Blocked{steady}: {head}, but it is allowed: {}.", permission(because))
        }
        // The outcome tells the failure already.
        (Verdict::Inconclusive(Why::Failed(_)), _) => format!("Inconclusive: {head}."),
        (Verdict::Inconclusive(why), _) => format!("Inconclusive: {head}; {why}."),
        (
            Verdict::Leak(_)
            | Verdict::Blocked(_)
            | Verdict::Conforms
            | Verdict::Settling
            | Verdict::Unspecified(_),
            _,
        ) => format!("{}: {head}.", line.verdict.kind().word()),
    }
}

/// A start-up leak as a sentence. `accepted` says for how long the receiver accepted.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     matrix::{Actor, Cell},
///     report::{Place, startup_sentence},
/// };
///
/// let (shop, flow) = (shop(), flow("job", "db"));
/// let cell = Cell { from: Actor::sole("job"), to: Actor::sole("db"), port: flow.port };
/// let [from, to] = ["shop/job", "shop/db"].map(|at| Place { at: at.to_owned(), node: None });
/// let (denied, policies) = (expect(&shop, &flow), [&shop.policies[0]]);
/// let sentence = startup_sentence(&cell, &denied, [&from, &to], &policies, "for 1.2 s");
/// assert!(sentence.starts_with("Start-up leak: job (shop/job) to db (shop/db) port 5432/TCP"));
/// ```
pub fn startup_sentence(
    cell: &Cell,
    expected: &Expected,
    [from, to]: [&Place; 2],
    policies: &[&Policy],
    accepted: &str,
) -> String {
    let by = match expected {
        Expected::Deny(because) => format!(" by {}", denial(because, policies)),
        Expected::Allow(_) | Expected::Unspecified(_) => String::new(),
    };
    format!(
        "Start-up leak: {} ({}) to {} ({}) port {}: the new pod accepted connections that are \
         denied{by} {accepted}; new pods must be isolated from their first instant.",
        cell.from,
        place(from),
        cell.to,
        place(to),
        cell.port
    )
}

fn place(place: &Place) -> String {
    match &place.node {
        Some(node) => format!("{} on node {node}", place.at),
        None => place.at.clone(),
    }
}

fn denial(because: &Because, policies: &[&Policy]) -> String {
    let sides = [(Direction::Egress, &because.egress), (Direction::Ingress, &because.ingress)];
    let said: Vec<String> = sides
        .into_iter()
        .filter_map(|(direction, decision)| -> Option<Vec<String>> {
            match decision {
                Decision::DeniedBy(names) => Some(
                    names
                        .iter()
                        .map(|name| {
                            let policy = policies.iter().find(|policy| policy.name == *name);
                            isolating(name, direction, policy.copied())
                        })
                        .collect(),
                ),
                Decision::Ruled(Ruling::Deny, rule) => Some(vec![format!("{rule} (denies it)")]),
                Decision::Exempt
                | Decision::NotIsolated
                | Decision::AllowedBy(_)
                | Decision::Ruled(Ruling::Accept, _) => None,
            }
        })
        .flatten()
        .collect();
    said.join(" and ")
}

/// The words for a policy that isolates, with what its rules lack.
fn isolating(name: &ObjectRef, direction: Direction, policy: Option<&Policy>) -> String {
    let rules = match policy.map(|policy| policy.isolation(direction)) {
        Some(Isolation::Isolated(rules)) => rules.len(),
        Some(Isolation::Open) | None => 0,
    };
    match rules {
        0 => format!("policy {name} (isolates {direction}, and has no rules for it)"),
        1 => format!(
            "policy {name} (isolates {direction}; its rule {direction}[0] does not admit it)"
        ),
        n => format!(
            "policy {name} (isolates {direction}; none of its rules {direction}[0] to [{}] admits \
             it)",
            n - 1
        ),
    }
}

fn permission(because: &Because) -> String {
    let side = |direction: Direction, decision: &Decision| match decision {
        Decision::AllowedBy(rules) => {
            let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
            rules.join(" and ")
        }
        Decision::NotIsolated => format!("nothing isolates {direction}"),
        Decision::Exempt => format!("{direction} is exempt"),
        Decision::DeniedBy(_) => format!("{direction} is denied"),
        Decision::Ruled(Ruling::Accept, rule) => format!("{rule} accepts it"),
        Decision::Ruled(Ruling::Deny, rule) => format!("{rule} denies it"),
    };
    format!(
        "{}; {}",
        side(Direction::Egress, &because.egress),
        side(Direction::Ingress, &because.ingress)
    )
}

/// The policies and rules that decided, as short references for a status.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{evaluate::expect, report::references};
///
/// let rules = references(&expect(&shop(), &flow("web", "db")));
/// assert_eq!(rules, ["shop/db ingress[0].from[0].ports[0]"]);
/// ```
pub fn references(expected: &Expected) -> Vec<String> {
    let because = match expected {
        Expected::Allow(because) | Expected::Deny(because) => because,
        Expected::Unspecified(why) => return vec![why.to_string()],
    };
    let mut references = Vec::new();
    for (direction, decision) in
        [(Direction::Egress, &because.egress), (Direction::Ingress, &because.ingress)]
    {
        match decision {
            Decision::AllowedBy(rules) => references.extend(rules.iter().map(ToString::to_string)),
            Decision::DeniedBy(names) => {
                references.extend(names.iter().map(|name| format!("{name} {direction}")));
            }
            Decision::Ruled(_, rule) => references.push(rule.to_string()),
            Decision::Exempt | Decision::NotIsolated => {}
        }
    }
    references
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
