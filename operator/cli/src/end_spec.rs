//! Ends of a flow as people write them.

use std::{net::IpAddr, str::FromStr};

use thiserror::Error;

/// An end as it is written, not yet looked for among the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndSpec {
    /// An address: it stands for no pod, even if a pod has it.
    Address(IpAddr),
    /// A Service: `svc/NAMESPACE/NAME` or `service/NAMESPACE/NAME`.
    Service(EndName),
    /// `NAMESPACE/NAME`: a pod, a workload that stands for its pods, or a Service.
    Named(EndName),
}

/// A name, perhaps without a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndName {
    /// The namespace, if one is written.
    pub namespace: Option<String>,
    /// The name after the first `/`, or the whole text.
    pub name: String,
}

/// The error for a text that is no end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("write NAMESPACE/POD, svc/NAMESPACE/NAME or an address")]
pub struct NoEnd;

impl FromStr for EndSpec {
    type Err = NoEnd;

    fn from_str(text: &str) -> Result<Self, NoEnd> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        match ["svc/", "service/"].iter().find_map(|prefix| text.strip_prefix(prefix)) {
            Some(name) => Ok(Self::Service(name.parse()?)),
            None => Ok(Self::Named(text.parse()?)),
        }
    }
}

impl FromStr for EndName {
    type Err = NoEnd;

    fn from_str(text: &str) -> Result<Self, NoEnd> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        if namespace == Some("") || name.is_empty() {
            return Err(NoEnd);
        }
        Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(namespace: Option<&str>, name: &str) -> EndName {
        EndName { namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn addresses_services_and_names_are_told_apart() {
        let parse = |text: &str| text.parse::<EndSpec>();
        assert_eq!(parse("10.0.0.1"), Ok(EndSpec::Address([10, 0, 0, 1].into())));
        assert_eq!(parse("::1"), Ok(EndSpec::Address("::1".parse::<IpAddr>().unwrap())));
        assert_eq!(parse("shop/web"), Ok(EndSpec::Named(named(Some("shop"), "web"))));
        assert_eq!(parse("web"), Ok(EndSpec::Named(named(None, "web"))));
        assert_eq!(
            parse("shop/deployment/web"),
            Ok(EndSpec::Named(named(Some("shop"), "deployment/web")))
        );
        assert_eq!(parse("svc/shop/web"), Ok(EndSpec::Service(named(Some("shop"), "web"))));
        assert_eq!(parse("svc/web"), Ok(EndSpec::Service(named(None, "web"))));
        for text in ["", "/", "shop/", "/web", "svc/"] {
            assert_eq!(parse(text), Err(NoEnd), "{text:?}");
        }
    }
}
