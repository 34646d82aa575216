//! The changes that events become, and when the world counts as known.

use serde_json::{Value, from_value, json};

use super::*;

type Object = DeserializeGuard<v1::Pod>;

fn name(name: &str) -> ObjectName {
    ObjectName { namespace: Some("shop".into()), name: name.into() }
}

fn object(name: &str, status: &Value) -> Object {
    from_value(json!({
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"nodeName": "n1", "containers": []},
        "status": status,
    }))
    .unwrap()
}

fn running(name: &str) -> Object {
    object(name, &json!({"phase": "Running", "podIP": "10.0.0.1"}))
}

fn pod(name: &str) -> Pod {
    Pod::parse(running(name).0.unwrap()).unwrap().unwrap()
}

/// The changes that these events become.
fn changes<const N: usize>(events: [Event<Object>; N]) -> Vec<Change<Pod>> {
    let mut listing = Table::new();
    events.into_iter().filter_map(|event| change(&mut listing, event, Pod::parse)).collect()
}

#[test]
fn a_list_is_one_change_once_it_is_complete() {
    let partial = [Event::Init, Event::InitApply(running("a"))];
    assert_eq!(changes(partial.clone()), []);
    let [init, a] = partial;
    // The first list breaks off and starts again.
    let events = [init.clone(), a, init, Event::InitApply(running("b")), Event::InitDone];
    assert_eq!(changes(events), [Change::Listed(Table::from([(name("b"), pod("b"))]))]);
}

#[test]
fn a_pod_that_finishes_is_removed() {
    let finished = object("a", &json!({"phase": "Succeeded", "podIP": "10.0.0.1"}));
    let events = [Event::Apply(running("a")), Event::Apply(finished)];
    assert_eq!(changes(events), [Change::Put(name("a"), pod("a")), Change::Removed(name("a"))]);
    assert_eq!(changes([Event::Delete(running("a"))]), [Change::Removed(name("a"))]);
}

#[test]
fn an_object_that_cannot_be_read_is_skipped_and_the_rest_stays() {
    let metadata = json!({"namespace": "shop", "name": "odd"});
    let undecodable: Object = from_value(json!({"metadata": metadata, "spec": 7})).unwrap();
    let unreadable = object("odd", &json!({"podIP": "not an address"}));
    for odd in [undecodable, unreadable] {
        let events =
            [Event::Init, Event::InitApply(odd), Event::InitApply(running("a")), Event::InitDone];
        assert_eq!(changes(events), [Change::Listed(Table::from([(name("a"), pod("a"))]))]);
    }
}

#[test]
fn the_world_is_withheld_until_all_three_kinds_are_listed() {
    let mut mirror = Mirror::default();
    mirror.apply(Update::Pods(Change::Listed(Table::new())));
    mirror.apply(Update::Namespaces(Change::Listed(Table::new())));
    mirror.apply(Update::Pods(Change::Put(name("a"), pod("a"))));
    assert!(mirror.world().is_none());
    mirror.apply(Update::Policies(Change::Listed(Table::new())));
    assert_eq!(mirror.world().expect("all three are listed").pods.len(), 1);
}

#[test]
fn a_new_list_replaces_what_was_known() {
    let mut mirror = Mirror::default();
    mirror.apply(Update::Namespaces(Change::Listed(Table::new())));
    mirror.apply(Update::Policies(Change::Listed(Table::new())));
    mirror.apply(Update::Pods(Change::Listed(Table::from([(name("a"), pod("a"))]))));
    mirror.apply(Update::Pods(Change::Listed(Table::from([(name("b"), pod("b"))]))));
    let names: Vec<_> = mirror.world().expect("all three are listed").pods.keys().collect();
    assert_eq!(names, [&name("b")]);
}
