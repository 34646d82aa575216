//! The table: cases by the dozen at a time, each with every fault.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::{StreamExt, stream};
use netproof::lab::{
    cluster::{LabCluster, Network},
    objects::Objects,
    scene::{IpFamilies, Pace, Scene, Setup},
};
use netproof_conformance::flow::Family;
use netproof_policy_agent::{fault::Fault, setting::Setting};

use crate::{
    case::{Case, cases},
    cell::{Came, Named, check},
    change::{self, before},
};

/// Cases at a time: most of one's time is spent waiting for silence.
const AT_A_TIME: usize = 10;

const PACE: Pace = Pace { timeout: Duration::from_millis(100), settle: Duration::ZERO, confirm: 2 };

/// What is said of objects that an API server may store and the test network's agent does not read:
/// null in lists, IPv4 in the spelling of IPv6.
const UNREADABLE: &str = "the policy agent cannot read";

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

type Results = BTreeMap<(String, String), Came>;

/// Runs the table, of these cases and faults only if any words are given; prints what came of it.
#[tokio::main]
pub async fn run(only: &[String]) -> ExitCode {
    let began = Instant::now();
    let faults: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|fault| {
            let named = only.iter().filter(|word| Fault::ALL.iter().any(|f| f.name() == **word));
            let mut named = named.peekable();
            named.peek().is_none() || named.any(|word| fault.name() == word)
        })
        .collect();
    let words: Vec<&String> =
        only.iter().filter(|word| Fault::ALL.iter().all(|f| f.name() != **word)).collect();
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| words.iter().all(|word| case.name.contains(word.as_str())))
        .collect();
    println!("{} cases x {} faults", cases.len(), faults.len());
    let results: Arc<Mutex<Results>> = Arc::default();
    let broken: Vec<String> = stream::iter(&cases)
        .map(|case| {
            let (faults, results) = (&faults, Arc::clone(&results));
            async move {
                let came = of_case(case, faults, &results).await;
                came.err().map(|error| format!("{}: {error:#}", case.name))
            }
        })
        .buffer_unordered(AT_A_TIME)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let results = results.lock().expect("nobody panicked").clone();
    report(&faults, &results, &broken, began)
}

async fn of_case(case: &Case, faults: &[Fault], results: &Mutex<Results>) -> anyhow::Result<()> {
    let objects = Objects::from_values(&case.objects(), DEFAULT_NAMESPACE)?;
    let setup = Setup {
        pace: PACE,
        nodes: 2,
        families: IpFamilies::V4,
        ports: case.ports.clone(),
        outside: case.outside.clone(),
        before: Vec::new(),
    };
    let scene = Scene::of(&objects, None, setup.clone())?;
    let program = env!("CARGO_BIN_EXE_netproof").into();
    let network = Network::Enforcing(Setting::default());
    let mut cluster =
        LabCluster::start(scene.clone(), program, &network).await.context("starting the lab")?;
    let whole = cluster.scripts();
    let families: Vec<Family> = case.families().into_iter().collect();
    let put = |fault: &Fault, came| {
        let key = (fault.name().to_owned(), case.name.clone());
        results.lock().expect("nobody panicked").insert(key, came);
    };
    for fault in faults {
        if before(*fault, case).is_none() {
            put(fault, check(&mut cluster, &scene, &families, *fault, &whole).await?);
        }
    }
    // These change what is there.
    for fault in faults {
        if let Some(was) = before(*fault, case) {
            let came = change::check(&mut cluster, case, &setup, &families, *fault, &was).await;
            put(fault, came.with_context(|| fault.to_string())?);
        }
    }
    Ok(())
}

fn report(faults: &[Fault], results: &Results, broken: &[String], began: Instant) -> ExitCode {
    let is_unreadable = |error: &&String| error.contains(UNREADABLE);
    let mut failed = broken.iter().filter(|error| !is_unreadable(error)).count();
    for error in broken {
        let word = if is_unreadable(&error) { "left out" } else { "BROKEN" };
        println!("{word} {error}");
    }
    for ((fault, case), came) in results {
        if let Came::Wrong(why) = came {
            failed += 1;
            println!("WRONG {fault} on {case}: {} things", why.len());
            for line in why.iter().take(4) {
                println!("    {line}");
            }
        }
    }
    println!(
        "{:30}{:>6}{:>7}{:>9}{:>7}{:>7}{:>7}",
        "fault", "same", "quiet", "detected", "alone", "among", "wrong"
    );
    let mut too_seldom = 0;
    for fault in faults {
        let of = |is: fn(&Came) -> bool| {
            results.iter().filter(|((name, _), came)| name == fault.name() && is(came)).count()
        };
        let alone = of(|came| matches!(came, Came::Right { named: Named::Alone, .. }));
        println!(
            "{:30}{:>6}{:>7}{:>9}{:>7}{:>7}{:>7}",
            fault.name(),
            of(|came| *came == Came::Same),
            of(|came| matches!(came, Came::Right { findings: 0, .. })),
            of(|came| matches!(came, Came::Right { findings: 1.., .. })),
            alone,
            of(|came| matches!(came, Came::Right { named: Named::Among, .. })),
            of(|came| matches!(came, Came::Wrong(_))),
        );
        too_seldom += usize::from(alone < 3);
    }
    println!("{too_seldom} faults are named alone by fewer than three cases");
    let left_out = broken.iter().filter(is_unreadable).count();
    let passed = results.len() + broken.len() - failed - left_out;
    println!("the table took {:.1} s", began.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
