use super::*;
use crate::{flow::Protocol, verdict::Steadiness};

fn cell(from: &str, to: &str, number: u16) -> Cell {
    let port = Port { number, protocol: Protocol::Tcp };
    Cell { from: Actor::sole(from), to: Actor::sole(to), port }
}

fn db_allow() -> ObjectRef {
    ObjectRef { namespace: "shop".into(), name: "db-allow".into() }
}

fn leak() -> Line {
    let ingress = Decision::DeniedBy(vec![db_allow()]);
    Line {
        expected: Expected::Deny(Because { egress: Decision::NotIsolated, ingress }),
        outcome: Some(Outcome::Connected),
        verdict: Verdict::Leak(Steadiness::Steady),
    }
}

fn fine() -> Line {
    let because = Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated };
    Line {
        expected: Expected::Allow(because),
        outcome: Some(Outcome::Connected),
        verdict: Verdict::Conforms,
    }
}

#[test]
fn grids_stand_side_by_side() {
    let matrix: Matrix<Line> =
        [(cell("web", "db", 3306), leak()), (cell("was", "db", 3306), fine())]
            .into_iter()
            .collect();
    let text = grids(&matrix);
    let head: Vec<&str> = text.lines().take(6).collect();
    assert_eq!(
        head,
        [
            "      EXPECTED   OBSERVED   VERDICT",
            "from  1          1          1",
            "was   .          .          .",
            "web   X          .          L",
            "",
            "1  db 3306/TCP",
        ]
    );
}

#[test]
fn a_leak_names_both_ends_and_the_policy() {
    let web = Place { at: "shop/web-1".into(), node: Some("n1".into()) };
    let db = Place { at: "shop/db-1".into(), node: None };
    let text = sentence(&cell("web", "db", 3306), &leak(), [&web, &db], &[]);
    assert_eq!(
        text,
        "Leak: web (shop/web-1 on node n1) to db (shop/db-1) port 3306/TCP: connected, but policy \
         shop/db-allow (isolates ingress, and has no rules for it) should have stopped it."
    );
}

#[test]
fn a_start_up_leak_says_for_how_long_and_what_denied_it() {
    let [web, db] = ["shop/web-1", "shop/db-1"].map(|at| Place { at: at.into(), node: None });
    let (cell, accepted) = (cell("web", "db", 3306), "for 120 ms");
    let text = startup_sentence(&cell, &leak().expected, [&web, &db], &[], accepted);
    assert_eq!(
        text,
        "Start-up leak: web (shop/web-1) to db (shop/db-1) port 3306/TCP: the new pod accepted \
         connections that are denied by policy shop/db-allow (isolates ingress, and has no rules \
         for it) for 120 ms; new pods must be isolated from their first instant."
    );
}
