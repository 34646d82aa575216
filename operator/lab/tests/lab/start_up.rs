//! New pods, attempted from before their addresses answer.

use std::time::Duration;

use anyhow::ensure;
use netproof_lab::{
    new_pod::{Attempting, PACE},
    trials::how_they_started,
};
use netproof_rounds::measurements::start_up::Found;
use serde_json::json;

use crate::objects::{deny, lab, pod, scene_beside};

/// How exactly the length of a leak has to be known.
const ABOUT: Duration = Duration::from_millis(100);

pub struct Case {
    pub claim: &'static str,
    setting: &'static str,
    /// The newcomer's address; else the next one of its node.
    address: Option<&'static str>,
    /// Whether another pod had the address until then.
    reused: bool,
    /// For how long it accepts what the policies deny it; none if it never does.
    accepts: Option<Duration>,
}

pub const CASES: &[Case] = &[
    Case {
        claim: "a new pod is isolated from its first instant",
        setting: "",
        address: None,
        reused: false,
        accepts: None,
    },
    Case {
        claim: "a new pod at an address that is not its node's is isolated from its first instant",
        setting: "",
        address: Some("192.168.7.7"),
        reused: false,
        accepts: None,
    },
    Case {
        claim: "a new pod at an address that another had is isolated from its first instant",
        setting: "",
        address: Some("10.244.1.77"),
        reused: true,
        accepts: None,
    },
    Case {
        claim: "a new pod that is isolated after half a second is found, and for how long",
        setting: "late-isolation=500ms",
        address: None,
        reused: false,
        accepts: Some(Duration::from_millis(500)),
    },
    Case {
        claim: "a new pod that is isolated after two seconds is found, and for how long",
        setting: "late-isolation=2s",
        address: None,
        reused: false,
        accepts: Some(Duration::from_secs(2)),
    },
];

pub async fn check(case: &Case) -> anyhow::Result<()> {
    let there = [
        pod("near", "node-1", None),
        pod("far", "node-2", None),
        deny(&json!({"matchLabels": {"app": "new"}})),
    ];
    let with = |more: Option<&str>| {
        let more = more.map(|name| pod(name, "node-1", case.address));
        there.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let old = with(case.reused.then_some("gone"));
    let mut lab = lab(&old, case.setting).await?;
    let before = lab.stages().borrow().scene.pods.clone();
    let now = scene_beside(&with(Some("new")), before)?;
    let attempting = Attempting { pace: PACE, may: &|_, _| true };
    let newcomers = lab.change_greeting(now, &attempting).await?;
    let started = how_they_started(newcomers).await?;
    let senders: Vec<String> = started.iter().map(|one| one.cell.from.to_string()).collect();
    ensure!(senders == ["shop/near", "shop/far"], "attempted by {senders:?}");
    for one in started {
        println!("       {}", one.sentence);
        let is_so = match (&one.found, case.accepts) {
            (Found::Isolated { .. }, None) => true,
            (Found::Leaked(window), Some(wanted)) => {
                window.closed.is_some() && window.accepted().abs_diff(wanted) <= ABOUT
            }
            _ => false,
        };
        ensure!(is_so, "{:?}", one.found);
    }
    Ok(())
}
