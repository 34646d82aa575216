//! The command `netproof explain`.

use std::io::{self, Write};

use anyhow::ensure;
use netproof_conformance::{
    compiled::Answer,
    explain::{Background, Explanation, RouteTarget, ServiceRoute, explain_with},
    flow::Flow,
    manifest::{self, Backends},
    policy::network_policy::NetworkPolicy,
    select::{Labels, Requirement, Selector},
};
use serde_json::{Value, json};

use super::{decided_by::DecidedBy, exit_status::ExitStatus, flow_end, loaded::Loaded, pairs};
use crate::args::{ExplainArgs, offline::ExplainFormat};

/// Explains the flows that the arguments name, and writes the explanations to standard output.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitStatus> {
    let loaded = Loaded::load(&args.input)?;
    let senders = flow_end::resolve(&args.from, &loaded)?.ends();
    let receivers = pairs::to_one(&args.to, args.port.as_ref(), &loaded)?;
    let flows = senders.iter().flat_map(|from| {
        receivers.iter().flat_map(move |(port, ends)| {
            ends.iter().map(move |to| Flow { from: *from, to: *to, port: *port, family: None })
        })
    });
    let services = services(&loaded);
    let written: Vec<&NetworkPolicy> = loaded.written.iter().map(|one| &one.policy).collect();
    let background = Background { services: &services, written: &written };
    let explained: Vec<(Flow, Explanation)> =
        flows.map(|flow| (flow, explain_with(loaded.snapshot(), &flow, background))).collect();
    ensure!(!explained.is_empty(), "nobody sends: {:?} stands for no pod", args.from);
    let mut out = io::stdout().lock();
    match args.output {
        ExplainFormat::Text => {
            let texts: Vec<String> = explained.iter().map(|(_, one)| one.to_string()).collect();
            writeln!(out, "{}", texts.join("\n\n").trim_end())?;
        }
        ExplainFormat::Json => {
            let objects = explained.iter().map(|(flow, one)| object(flow, one, &loaded));
            let objects = objects.collect::<Result<Vec<_>, _>>()?;
            // As an I/O error, so that a reader that has gone is told from a real error.
            serde_json::to_writer_pretty(&mut out, &objects).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    let outcomes = explained.iter().map(|(_, one)| ExitStatus::of(Answer::from(&one.expected)));
    Ok(outcomes.max().unwrap_or(ExitStatus::CannotTell))
}

fn object(flow: &Flow, explained: &Explanation, loaded: &Loaded) -> serde_json::Result<Value> {
    let answer = Answer::from(&explained.expected);
    let mut object = json!({
        "from": loaded.name(flow.from),
        "to": loaded.name(flow.to),
        "port": flow.port.number,
        "protocol": flow.port.protocol.to_string(),
        "expected": answer.word(),
        "by": serde_json::to_value(DecidedBy::of(flow, &explained.expected, loaded.snapshot()))?,
        "sentences": explained.sentences(),
    });
    if let Answer::Unspecified(why) = answer {
        object["reason"] = json!(why.reason());
    }
    Ok(object)
}

/// The ports of Services, which people write into policies by mistake for the ports of the pods.
fn services(loaded: &Loaded) -> Vec<ServiceRoute> {
    let ports = loaded.services.iter().filter_map(|service| match &service.backends {
        Backends::Pods(labels) => Some((service, labels)),
        Backends::Unknown | Backends::External(_) => None,
    });
    ports
        .flat_map(|(service, labels)| {
            service.ports.iter().map(move |one| ServiceRoute {
                service: service.name.clone(),
                pods: selector(labels),
                port: one.port,
                target: match &one.target {
                    manifest::ServiceTarget::Number(number) => RouteTarget::Number(*number),
                    manifest::ServiceTarget::Name(name) => RouteTarget::Named(name.clone()),
                },
            })
        })
        .collect()
}

fn selector(labels: &Labels) -> Selector {
    let equal =
        |(key, value): (&String, &String)| Requirement::In(key.clone(), [value.clone()].into());
    labels.iter().map(equal).collect()
}
