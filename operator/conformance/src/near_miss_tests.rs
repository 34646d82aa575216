use super::*;

fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn is(key: &str, value: &str) -> Requirement {
    Requirement::In(key.to_owned(), BTreeSet::from([value.to_owned()]))
}

#[test]
fn one_letter_is_a_slip_and_two_are_not() {
    for (one, other) in [("web", "wbe"), ("web", "webb"), ("web", "wep"), ("my-app", "my_app")] {
        assert!(is_slip(one, other) && is_slip(other, one), "{one} {other}");
    }
    for (one, other) in [("web", "was"), ("web", "web"), ("web", "webapp"), ("abcd", "badc")] {
        assert!(!is_slip(one, other) && !is_slip(other, one), "{one} {other}");
    }
}

#[test]
fn numbers_and_single_letters_are_no_slips() {
    for (one, other) in [("v1", "v2"), ("tier1", "tier2"), ("db-1", "db-10"), ("a", "b"), ("", "a")]
    {
        assert!(!is_slip(one, other) && !is_slip(other, one), "{one} {other}");
    }
}

#[test]
fn a_value_in_another_case_is_near() {
    let (wanted, found) = ("web".to_owned(), "Web".to_owned());
    assert_eq!(
        near_label(&is("app", "web"), &labels(&[("app", "Web")])),
        Some(NearLabel::ValueCase { wanted, found })
    );
}

#[test]
fn a_key_is_near_only_with_the_right_value() {
    let found = "App".to_owned();
    assert_eq!(
        near_label(&is("app", "web"), &labels(&[("App", "web")])),
        Some(NearLabel::KeyCase { found })
    );
    assert_eq!(near_label(&is("app", "web"), &labels(&[("App", "db")])), None);
}

#[test]
fn the_value_of_another_key_is_near() {
    let (found, value) = ("app.kubernetes.io/name".to_owned(), "web".to_owned());
    assert_eq!(
        near_label(&is("app", "web"), &labels(&[("app.kubernetes.io/name", "web")])),
        Some(NearLabel::OtherKey { found, value })
    );
    assert_eq!(near_label(&is("public", "true"), &labels(&[("critical", "true")])), None);
}

#[test]
fn the_name_of_a_namespace_is_near() {
    let shop = namespace_labels("shop", None);
    let value = "shop".to_owned();
    assert_eq!(near_label(&is("name", "shop"), &shop), Some(NearLabel::NamespaceName { value }));
}

#[test]
fn what_must_not_be_there_is_never_near() {
    let one = Requirement::DoesNotExist("app".to_owned());
    assert_eq!(near_label(&one, &labels(&[("app", "web")])), None);
}
