//! Follows the `ConfigMap` that says which faults are set.

use std::future::ready;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use thiserror::Error;
use tracing::{error, info, warn};

use super::{Pause, WATCH_SECONDS};
use crate::setting::{Setting, WrongSetting};

/// The name of the `ConfigMap`, in the agent's own namespace. Without it no fault is set.
const NAME: &str = "netproof-faults";

/// The one key of the `ConfigMap`.
const KEY: &str = "faults";

/// Why the `ConfigMap` is no setting.
#[derive(Debug, Error, PartialEq, Eq)]
enum Unreadable {
    #[error("the ConfigMap {NAME} has no key {KEY:?}; set it, or delete the ConfigMap")]
    NoKey,
    #[error(transparent)]
    Wrong(#[from] WrongSetting),
}

/// Every setting that can be read; the stream never ends. One that cannot be read is logged, and
/// the last one stays.
pub fn settings(client: &Client) -> impl Stream<Item = Setting> + Send + 'static {
    let api = Api::<ConfigMap>::default_namespaced(client.clone());
    let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
    let mut listed = None;
    watcher::watcher(api, config.timeout(WATCH_SECONDS)).backoff(Pause::default()).filter_map(
        move |event| {
            ready(match event {
                Ok(event) => told(&mut listed, event).and_then(readable),
                Err(error) => {
                    warn!(kind = "ConfigMap", %error, "Watch failed");
                    None
                }
            })
        },
    )
}

fn readable(read: Result<Setting, Unreadable>) -> Option<Setting> {
    match read {
        Ok(setting) => {
            info!(faults = %setting, "Setting read");
            Some(setting)
        }
        Err(error) => {
            error!(%error, "Setting not read; the last one stays");
            None
        }
    }
}

/// The setting that an event means, given what was listed before it.
fn told(
    listed: &mut Option<ConfigMap>,
    event: Event<ConfigMap>,
) -> Option<Result<Setting, Unreadable>> {
    match event {
        Event::Init => {
            *listed = None;
            None
        }
        Event::InitApply(object) => {
            *listed = Some(object);
            None
        }
        Event::InitDone => Some(listed.take().map_or(Ok(Setting::default()), read)),
        Event::Apply(object) => Some(read(object)),
        Event::Delete(_) => Some(Ok(Setting::default())),
    }
}

fn read(object: ConfigMap) -> Result<Setting, Unreadable> {
    let mut data = object.data.unwrap_or_default();
    let text = data.remove(KEY).ok_or(Unreadable::NoKey)?;
    text.parse().map_err(Unreadable::Wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn map(key: &str, text: &str) -> ConfigMap {
        from_value(json!({"data": {key: text}})).unwrap()
    }

    fn events<const N: usize>(events: [Event<ConfigMap>; N]) -> Vec<Result<Setting, Unreadable>> {
        let mut listed = None;
        events.into_iter().filter_map(|event| told(&mut listed, event)).collect()
    }

    #[test]
    fn without_a_config_map_nothing_fails() {
        assert_eq!(events([Event::Init, Event::InitDone]), [Ok(Setting::default())]);
        let gone = [Event::Apply(map(KEY, "slow")), Event::Delete(map(KEY, "slow"))];
        assert_eq!(events(gone), [Ok("slow".parse().unwrap()), Ok(Setting::default())]);
    }

    #[test]
    fn a_list_says_its_setting_once() {
        let list = [Event::Init, Event::InitApply(map(KEY, "slow")), Event::InitDone];
        assert_eq!(events(list), [Ok("slow".parse().unwrap())]);
    }

    #[test]
    fn what_cannot_be_read_is_no_setting() {
        let [no_key] = <[_; 1]>::try_from(events([Event::Apply(map("fault", "slow"))])).unwrap();
        assert_eq!(no_key, Err(Unreadable::NoKey));
        let [wrong] = <[_; 1]>::try_from(events([Event::Apply(map(KEY, "slw"))])).unwrap();
        assert!(matches!(wrong, Err(Unreadable::Wrong(_))));
    }
}
