//! What the lab says of a network that was altered beneath it, by rules of which neither the lab
//! nor the policy agent knows.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use netproof_conformance::{
    diagnosis::Diagnosis,
    flow::{Family, Port, Protocol},
    verdict::{Steadiness, Verdict, VerdictKind},
};
use netproof_lab::{
    cluster::{LabCluster, Network},
    process::this_program,
    rounds::Rounds,
    verdict::{Conclusion, LabVerdict, OfFamily},
};
use serde_json::{Value, json};

use crate::objects::{pod, scene};

/// How long flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(20);

/// The port of the denied flows over TCP.
const PORT: Port = Port { number: 80, protocol: Protocol::Tcp };

pub struct Case {
    pub claim: &'static str,
    /// The port that the policy allows, if any; the pods listen on 80 and 81.
    allowed: Option<u16>,
    /// The nft table that every pod gets for the packets that reach it.
    beneath: &'static str,
    /// How often everything is judged.
    rounds: usize,
    /// What may be concluded.
    conclusions: &'static [Conclusion],
    /// What the verdict says, whatever is concluded.
    says: &'static str,
    /// Whether the denied flows to port 80 are leaks by turns in the end.
    by_turns: bool,
}

/// The first denied connection of each pair and port passes, and none after it.
const FIRST_PASSES: &str = "
table inet beneath {
  set seen { typeof ip saddr . tcp dport; flags dynamic; size 4096; }
  chain input {
    type filter hook input priority 0;
    iif lo accept
    udp dport 80 drop
    tcp dport != 80 accept
    ct state established accept
    ip saddr . tcp dport @seen drop
    add @seen { ip saddr . tcp dport }
  }
}";

/// Every link is down, but for the pod's own loopback.
const DOWN: &str = "
table inet beneath {
  chain input { type filter hook input priority 0; policy drop; iif lo accept; }
}";

/// What is denied is dropped, and each twentieth packet of the rest.
const LOSES: &str = "
table inet beneath {
  chain input {
    type filter hook input priority 0;
    iif lo accept
    tcp dport 80 drop
    udp dport 80 drop
    numgen random mod 20 == 0 drop
  }
}";

/// What is denied is dropped, and for 900 ms everything is, as while one neighbour request is lost.
const OUTAGE: &str = "
table inet beneath {
  set outage { type ipv4_addr; flags interval, timeout; elements = { 0.0.0.0/1 timeout 900ms }; }
  chain input {
    type filter hook input priority 0;
    iif lo accept
    tcp dport 80 drop
    udp dport 80 drop
    ip saddr @outage drop
  }
}";

/// What is denied arrives, and the answer of a denied datagram is dropped.
const NO_ANSWER: &str = "
table inet beneath {
  chain input { type filter hook input priority 0; iif lo accept; tcp dport 80 drop; }
  chain output { type filter hook output priority 0; oif lo accept; udp sport 80 drop; }
}";

pub const CASES: &[Case] = &[
    Case {
        claim: "a conforming network that loses each twentieth packet is accused of nothing",
        allowed: Some(81),
        beneath: LOSES,
        rounds: 10,
        conclusions: &[Conclusion::Conforms, Conclusion::CannotTell],
        says: "",
        by_turns: false,
    },
    Case {
        claim: "an outage of less than a second accuses nobody",
        allowed: Some(81),
        beneath: OUTAGE,
        rounds: 1,
        conclusions: &[Conclusion::Conforms, Conclusion::CannotTell],
        says: "",
        by_turns: false,
    },
    Case {
        claim: "a denied datagram that arrives is a leak, whatever becomes of its answer",
        allowed: Some(81),
        beneath: NO_ANSWER,
        rounds: 1,
        conclusions: &[Conclusion::Violates],
        says: "arrived, and no answer came back",
        by_turns: false,
    },
    Case {
        claim: "a network that passes the first connection of each denied pair and port leaks",
        allowed: Some(81),
        beneath: FIRST_PASSES,
        rounds: 1,
        conclusions: &[Conclusion::Violates],
        says: "Conformant=False (Leaks)",
        by_turns: true,
    },
    Case {
        claim: "a leak by turns is not taken back by later rounds without one",
        allowed: Some(81),
        beneath: FIRST_PASSES,
        rounds: 5,
        conclusions: &[Conclusion::Violates],
        says: "Conformant=False (Leaks)",
        by_turns: true,
    },
    Case {
        claim: "nothing is proved where everything is denied and every link is down",
        allowed: None,
        beneath: DOWN,
        rounds: 2,
        conclusions: &[Conclusion::CannotTell],
        says: "Conformant=Unknown (NothingProved)",
        by_turns: false,
    },
];

fn objects(allowed: Option<u16>) -> Vec<Value> {
    let listens = |name, node| {
        let mut pod = pod(name, node, None);
        pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}, {"containerPort": 81}, {"containerPort": 80, "protocol": "UDP"}]);
        pod
    };
    let admits = |port: u16| json!({"ports": [{"port": port}]});
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "shop"},
        "spec": {
            "podSelector": {}, "policyTypes": ["Ingress"],
            "ingress": allowed.map(admits).into_iter().collect::<Vec<_>>(),
        },
    });
    vec![listens("near", "node-1"), listens("mid", "node-1"), listens("far", "node-2"), policy]
}

/// Loads these rules in the network namespace of every pod.
fn alter(lab: &LabCluster, rules: &str) -> anyhow::Result<()> {
    for id in lab.probe_ids() {
        let mut nft = Command::new("nsenter")
            .args([&format!("--net=/proc/{id}/ns/net"), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .context("nsenter, of util-linux")?;
        nft.stdin.take().context("it is piped")?.write_all(rules.as_bytes())?;
        ensure!(nft.wait()?.success(), "nft refuses {rules}");
    }
    Ok(())
}

pub async fn check(case: &Case) -> anyhow::Result<()> {
    let scene = scene(&objects(case.allowed))?;
    let program = this_program()?;
    let lab = LabCluster::start(scene, program, &Network::Plain).await?;
    alter(&lab, case.beneath)?;
    let mut rounds = Rounds::new(lab.stages(), Some(Family::IPv4));
    for _ in 0..case.rounds {
        rounds.judge(PATIENCE).await;
    }
    let verdict = LabVerdict {
        families: vec![OfFamily::of(&mut rounds)],
        unspoken: BTreeSet::new(),
        diagnosis: Diagnosis::NoEvidence,
        manner: None,
        start_ups: Vec::new(),
        took: Duration::ZERO,
    };
    let text = verdict.text();
    let conclusion = verdict.conclusion();
    ensure!(case.conclusions.contains(&conclusion), "{conclusion:?}: {text}");
    ensure!(text.contains(case.says), "{text}");
    let [details, _] = rounds.details();
    for (cell, detail) in details.iter() {
        let verdict = &detail.line.verdict;
        ensure!(verdict.kind() != VerdictKind::Blocked, "{cell}: {verdict:?}");
        if case.by_turns && cell.port == PORT {
            let is_so = matches!(verdict, Verdict::Leak(Steadiness::Flapping { bad: 1, .. }));
            ensure!(is_so, "{cell}: {verdict:?}");
            ensure!(detail.sentence.contains("connected in 1 of the last"), "{}", detail.sentence);
        }
    }
    Ok(())
}
