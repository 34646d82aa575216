//! The query for pairs of ends: which senders, which receivers, and on which ports.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use netproof_conformance::{
    flow::{End, Flow, PodId, Port},
    manifest::{Service, ServiceTarget},
};

use super::{
    end_spec::EndSpec,
    flow_end::{self, EndIdentity},
    loaded::Loaded,
    port::{self, PortSpec},
};
use crate::args::PredictArgs;

/// The flows that are asked about: from each sender to each receiver of a port, on that port.
#[derive(Debug)]
pub struct PairQuery {
    /// The ends that send.
    pub senders: Vec<End>,
    /// The ends that receive on each port.
    pub receivers: BTreeMap<Port, Vec<End>>,
    /// Whether all pods send and only pods receive, since the arguments name no ends.
    pub is_of_all: bool,
    /// Whether the arguments name both ends, so that the exit code is the answer.
    pub is_single: bool,
}

impl PairQuery {
    /// The query of the arguments; an error if an end or a port stands for nothing.
    pub fn new(args: &PredictArgs, loaded: &Loaded) -> anyhow::Result<Self> {
        let everyone = || loaded.pods().map(|(id, _)| End::Pod(id)).collect::<Vec<End>>();
        let senders = match &args.from {
            Some(from) => flow_end::resolve(from, loaded)?.ends(),
            None => everyone(),
        };
        let receivers = match &args.to {
            Some(to) => to_one(to, args.port.as_ref(), loaded)?,
            None => to_all(args.port.as_ref(), loaded)?,
        };
        let flows = senders.len() * receivers.values().map(Vec::len).sum::<usize>();
        Ok(Self {
            is_of_all: args.from.is_none() && args.to.is_none(),
            is_single: args.from.is_some() && args.to.is_some() && flows > 0,
            senders,
            receivers,
        })
    }

    /// Each flow, by senders, then receivers, then ports.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        let mut by_receiver: BTreeMap<End, Vec<Port>> = BTreeMap::new();
        for (port, receivers) in &self.receivers {
            for receiver in receivers {
                by_receiver.entry(*receiver).or_default().push(*port);
            }
        }
        let targets: Vec<(End, Port)> = by_receiver
            .into_iter()
            .flat_map(|(to, ports)| ports.into_iter().map(move |port| (to, port)))
            .collect();
        self.senders.iter().flat_map(move |from| {
            let from = *from;
            let targets = targets.clone();
            targets.into_iter().map(move |(to, port)| Flow { from, to, port, family: None })
        })
    }
}

/// The ports of a receiver that was asked for, and the ends that receive on them; an error if there
/// are none.
pub fn to_one(
    spec: &EndSpec,
    asked: Option<&PortSpec>,
    loaded: &Loaded,
) -> anyhow::Result<BTreeMap<Port, Vec<End>>> {
    let mut receivers: BTreeMap<Port, Vec<End>> = BTreeMap::new();
    match flow_end::resolve(spec, loaded)? {
        EndIdentity::Address(address) => match asked {
            Some(PortSpec::Number(port)) => {
                receivers.insert(*port, vec![End::Address(address)]);
            }
            Some(PortSpec::Name(name, _)) => {
                bail!("--port {name}: an address gives ports no names; give a number")
            }
            None => bail!("--to {address}: an address declares no ports; give one with --port"),
        },
        EndIdentity::Pod(pod) => {
            let ports = ports_of(pod, asked, loaded);
            ensure!(!ports.is_empty(), "{}", no_port(spec, asked, loaded, pod));
            for port in ports {
                receivers.entry(port).or_default().push(End::Pod(pod));
            }
        }
        EndIdentity::Service(service, pods) => {
            for pod in pods {
                for port in targets(service, asked, pod, loaded) {
                    receivers.entry(port).or_default().push(End::Pod(pod));
                }
            }
            ensure!(
                !receivers.is_empty(),
                "Service {} has no such port, or no pod that declares the name it leads to",
                service.name
            );
        }
    }
    Ok(receivers)
}

fn no_port(spec: &EndSpec, asked: Option<&PortSpec>, loaded: &Loaded, pod: PodId) -> String {
    let name = &loaded.snapshot().pod(pod).name;
    match (spec, asked) {
        (_, Some(port)) => format!("{name} calls no port {port}; give its number"),
        (_, None) => format!("{name} declares no ports; give one with --port"),
    }
}

/// All pods that declare the port; all pods there are if a number is asked for.
fn to_all(asked: Option<&PortSpec>, loaded: &Loaded) -> anyhow::Result<BTreeMap<Port, Vec<End>>> {
    let mut receivers: BTreeMap<Port, Vec<End>> = BTreeMap::new();
    for (id, _) in loaded.pods() {
        for port in ports_of(id, asked, loaded) {
            receivers.entry(port).or_default().push(End::Pod(id));
        }
    }
    if let (Some(PortSpec::Name(name, _)), true) = (asked, receivers.is_empty()) {
        bail!("--port {name}: no pod calls a port so; give a number");
    }
    Ok(receivers)
}

fn ports_of(pod: PodId, asked: Option<&PortSpec>, loaded: &Loaded) -> Vec<Port> {
    match asked {
        Some(PortSpec::Number(port)) => vec![*port],
        Some(PortSpec::Name(name, protocol)) => {
            port::named(loaded.snapshot().pod(pod), name, *protocol)
        }
        None => loaded.origin(pod).declared.clone(),
    }
}

/// The ports of one of a Service's pods that the asked ports of the Service lead to.
pub fn targets(
    service: &Service,
    asked: Option<&PortSpec>,
    pod: PodId,
    loaded: &Loaded,
) -> Vec<Port> {
    let is_asked = |port: &Port, name: Option<&str>| match asked {
        None => true,
        Some(PortSpec::Number(asked)) => asked == port,
        Some(PortSpec::Name(asked, protocol)) => {
            name == Some(asked) && protocol.is_none_or(|protocol| protocol == port.protocol)
        }
    };
    let ports = service.ports.iter().filter(|one| is_asked(&one.port, one.name.as_deref()));
    ports
        .flat_map(|one| match &one.target {
            ServiceTarget::Number(number) => vec![Port { number: *number, ..one.port }],
            ServiceTarget::Name(name) => {
                port::named(loaded.snapshot().pod(pod), name, Some(one.port.protocol))
            }
        })
        .collect()
}

/// The ends that are pods.
pub fn pods(ends: &[End]) -> impl Iterator<Item = PodId> {
    ends.iter().filter_map(|end| match end {
        End::Pod(id) => Some(*id),
        End::Address(_) => None,
    })
}
