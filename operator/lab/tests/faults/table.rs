//! The table: every case with every fault, many cases at a time.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::{StreamExt, stream};
use netproof_cases::{NetworkCase, network_cases};
use netproof_conformance::flow::Family;
use netproof_lab::{
    agent_objects::UnreadableObject,
    cluster::{LabCluster, Network},
    objects::LabObjects,
    process::this_program,
    scene::{IpFamilies, LabPace, Scene, Setup},
};
use netproof_policy_agent::{fault::Fault, setting::Setting};

use crate::{
    cell::{Came, Named, Place, Row, check},
    change::{self, before},
    random,
};

/// How many cases run at a time: each spends most of its time waiting for silence.
const AT_A_TIME: usize = 14;

const PACE: LabPace = LabPace {
    timeout: Duration::from_millis(100),
    settle: Duration::ZERO,
    confirm: 2,
    silence: Duration::from_millis(300),
    // A fault of time is over soon, and has to be told from the others then.
    leak_retention: Duration::from_millis(300),
};

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

type Results = BTreeMap<(String, String), Came>;

/// Runs the table, of the cases and faults that these words choose, or of all; prints the results.
#[tokio::main]
pub async fn run(only: &[String]) -> ExitCode {
    let began = Instant::now();
    let number = |prefix: &str| {
        let text = only.iter().find_map(|word| word.strip_prefix(prefix))?;
        Some(text.parse().expect("a number"))
    };
    let random: Option<u64> = number("random=");
    let seed = number("seed=").unwrap_or(1);
    let (_, only): (Vec<&String>, Vec<&String>) =
        only.iter().partition(|word| word.starts_with("random=") || word.starts_with("seed="));
    let (names, words): (Vec<&String>, Vec<&String>) =
        only.iter().copied().partition(|word| rows().any(|row| row.name() == **word));
    let is_asked = |row: &Row| names.is_empty() || names.iter().any(|name| **name == row.name());
    let rows: Vec<Row> = rows().filter(is_asked).collect();
    let all = match random {
        Some(count) => random::cases(count, seed),
        None => network_cases().unwrap_or_else(|error| panic!("{error}")),
    };
    let cases: Vec<NetworkCase> = all
        .into_iter()
        .filter(|case| words.iter().all(|word| case.name.contains(word.as_str())))
        .collect();
    println!("{} cases x {} faults", cases.len(), rows.len());
    let results: Arc<Mutex<Results>> = Arc::default();
    let broken: Vec<Broken> = stream::iter(&cases)
        .map(|case| {
            let (rows, results) = (&rows, Arc::clone(&results));
            async move {
                let came = of_case(case, rows, &results).await;
                came.err().map(|error| Broken { case: case.name.clone(), error })
            }
        })
        .buffer_unordered(AT_A_TIME)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let results = results.lock().expect("nobody panicked").clone();
    let is_whole = only.is_empty() && random.is_none();
    report(&rows, &results, &broken, began, is_whole)
}

/// Faults that were seen on single nodes of real clusters: the node stopped enforcing, or blocks
/// everything.
const OF_ONE_NODE: [Fault; 4] =
    [Fault::IgnoresAll, Fault::BlocksAll, Fault::IgnoresIngress, Fault::IgnoresEgress];

fn rows() -> impl Iterator<Item = Row> {
    let at = |at| move |fault| Row { fault, at };
    let everywhere = Fault::ALL.into_iter().map(at(Place::Everywhere));
    everywhere.chain(OF_ONE_NODE.into_iter().map(at(Place::OneNode)))
}

/// A case that could not be carried out, and why.
struct Broken {
    case: String,
    error: anyhow::Error,
}

impl Broken {
    /// Whether the policy agent cannot read an object of the case.
    fn is_unreadable(&self) -> bool {
        self.error.chain().any(<dyn std::error::Error>::is::<UnreadableObject>)
    }
}

async fn of_case(case: &NetworkCase, rows: &[Row], results: &Mutex<Results>) -> anyhow::Result<()> {
    let objects = LabObjects::from_values(&case.objects(), DEFAULT_NAMESPACE)?;
    let setup = Setup {
        pace: PACE,
        nodes: 2,
        families: IpFamilies::V4,
        ports: case.ports.clone(),
        outside: case.outside.clone(),
        before: Vec::new(),
    };
    let scene = Scene::of(&objects, None, setup.clone())?;
    let program = this_program()?;
    let network = Network::Enforcing(Setting::default());
    let mut cluster =
        LabCluster::start(scene.clone(), program, &network).await.context("starting the lab")?;
    let whole = cluster.scripts();
    let families: Vec<Family> = case.families().into_iter().collect();
    let put = |row: Row, came| {
        let key = (row.name(), case.name.clone());
        results.lock().expect("nobody panicked").insert(key, came);
    };
    // Faults that change the cluster's objects run last.
    let (changing, still): (Vec<Row>, Vec<Row>) =
        rows.iter().partition(|row| before(row.fault, case).is_some());
    for row in still {
        let mut came = check(&mut cluster, &scene, &families, row, &whole).await?;
        if let Came::Wrong(why) = came {
            again(row, case, &why);
            came = check(&mut cluster, &scene, &families, row, &whole).await?;
        }
        put(row, came);
    }
    for row in changing {
        let was = before(row.fault, case).unwrap_or_default();
        let mut came = change::check(&mut cluster, case, &setup, &families, row.fault, &was).await;
        if let Ok(Came::Wrong(why)) = &came {
            again(row, case, why);
            came = change::check(&mut cluster, case, &setup, &families, row.fault, &was).await;
        }
        let came = came.with_context(|| row.name())?;
        put(row, came);
    }
    Ok(())
}

/// Prints that a cell is looked at a second time: on a busy machine, a fault that lasts a second
/// may be over before an attempt. What is wrong twice is wrong.
fn again(row: Row, case: &NetworkCase, why: &[String]) {
    let why = why.first().map_or("", String::as_str);
    println!("a second look at {} on {}: {why}", row.name(), case.name);
}

/// How many cases have to name a fault alone.
const NAMED: usize = 3;

fn report(
    rows: &[Row],
    results: &Results,
    broken: &[Broken],
    began: Instant,
    is_whole: bool,
) -> ExitCode {
    let mut failed = broken.iter().filter(|broken| !broken.is_unreadable()).count();
    for broken in broken {
        let word = if broken.is_unreadable() { "left out" } else { "BROKEN" };
        println!("{word} {}: {:#}", broken.case, broken.error);
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
    for row in rows {
        let name = row.name();
        let of = |is: fn(&Came) -> bool| {
            results.iter().filter(|((of, _), came)| *of == name && is(came)).count()
        };
        let alone = of(|came| matches!(came, Came::Right { named: Named::Alone, .. }));
        println!(
            "{:30}{:>6}{:>7}{:>9}{:>7}{:>7}{:>7}",
            name,
            of(|came| *came == Came::Same),
            of(|came| matches!(came, Came::Right { findings: 0, .. })),
            of(|came| matches!(came, Came::Right { findings: 1.., .. })),
            alone,
            of(|came| matches!(came, Came::Right { named: Named::Among, .. })),
            of(|came| matches!(came, Came::Wrong(_))),
        );
        too_seldom += usize::from(alone < NAMED);
    }
    println!("{too_seldom} faults are named alone by fewer than {NAMED} cases");
    if is_whole {
        failed += too_seldom;
    }
    let left_out = broken.iter().filter(|broken| broken.is_unreadable()).count();
    let passed = results.len() + broken.len() - failed - left_out;
    println!("the table took {:.1} s", began.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
