//! How the fields of objects are written down: which names an object has, what is inside of each,
//! and what becomes of others. It says nothing of any one kind.

/// What a value may have inside.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Whatever it is, it is not looked into.
    Any,
    /// An object whose fields have names of the user's choice.
    Names,
    /// A list of these.
    List(&'static Shape),
    /// An object with these fields.
    Object {
        /// Their names, and what they have inside.
        fields: &'static [(&'static str, &'static Shape)],
        /// What becomes of others.
        others: OtherFields,
    },
}

/// What becomes of fields that a shape does not have.
#[derive(Debug)]
pub(crate) enum OtherFields {
    /// The API has no others.
    Refused,
    /// A later version of the API may have others, and the answers then tell that they are left
    /// open.
    Unspecified,
    /// The API has more than are listed, and later versions of it have more again, of which none
    /// decides anything. Only what is a slip of one of these, which do decide, is refused.
    OfLaterVersions { read: &'static [&'static str] },
}

impl Shape {
    /// What a field of this name has inside, if there is one.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Shape> {
        match self {
            Self::Names => Some(&Self::Any),
            Self::Object { fields, .. } => {
                fields.iter().find(|(field, _)| *field == name).map(|(_, shape)| *shape)
            }
            Self::Any | Self::List(_) => None,
        }
    }

    /// Whether it can have a field of this name only once. Of those that decide nothing the last
    /// one counts, as for kubectl.
    pub(crate) fn has_once(&self, name: &str) -> bool {
        match self {
            Self::Object { others: OtherFields::OfLaterVersions { .. }, .. } => {
                self.field(name).is_some()
            }
            Self::Object { others: OtherFields::Refused | OtherFields::Unspecified, .. }
            | Self::Any
            | Self::Names
            | Self::List(_) => true,
        }
    }

    /// The fields that have names of the API's choice.
    pub(crate) fn fields(&self) -> &'static [(&'static str, &'static Shape)] {
        match self {
            Self::Object { fields, .. } => fields,
            Self::Any | Self::Names | Self::List(_) => &[],
        }
    }

    /// Of a list, what its elements are; else itself.
    pub(crate) fn element(&'static self) -> &'static Self {
        match self {
            Self::List(element) => element,
            Self::Any | Self::Names | Self::Object { .. } => self,
        }
    }
}

/// The fields of a kind of policy.
#[derive(Debug)]
pub(crate) struct PolicyShape {
    /// All that an object of the kind has.
    pub(crate) whole: Shape,
    /// As far as it says what the policy means.
    pub(crate) meaning: Shape,
}

/// An object with these fields and no others.
macro_rules! only {
    ($($field:literal: $shape:expr),* $(,)?) => {
        $crate::shape::Shape::Object {
            fields: &[$(($field, &$shape)),*],
            others: $crate::shape::OtherFields::Refused,
        }
    };
}

/// An object with these fields, and others that decide nothing.
macro_rules! some {
    ($($field:literal: $shape:expr),* $(,)?) => {
        $crate::shape::Shape::Object {
            fields: &[$(($field, &$shape)),*],
            others: $crate::shape::OtherFields::OfLaterVersions { read: &[$($field),*] },
        }
    };
}

/// The fields of a policy, of which those of its `spec` are given.
macro_rules! policy {
    ($spec:ident) => {
        $crate::shape::PolicyShape {
            whole: $crate::shape::only! {
                "apiVersion": $crate::shape::Shape::Any, "kind": $crate::shape::Shape::Any,
                "metadata": $crate::shape::METADATA, "spec": $spec,
                "status": $crate::shape::Shape::Any,
            },
            meaning: $crate::shape::Shape::Object {
                fields: &[("spec", &$spec)],
                others: $crate::shape::OtherFields::OfLaterVersions { read: &[] },
            },
        }
    };
}

pub(crate) use {only, policy, some};

/// `ObjectMeta` of `metav1`, which every object has.
pub(crate) static METADATA: Shape = only! {
    "name": Shape::Any, "namespace": Shape::Any, "labels": Shape::Names,
    "annotations": Shape::Names, "generateName": Shape::Any, "ownerReferences": OWNER_REFERENCES,
    "finalizers": Shape::Any, "creationTimestamp": Shape::Any, "deletionTimestamp": Shape::Any,
    "deletionGracePeriodSeconds": Shape::Any, "generation": Shape::Any,
    "resourceVersion": Shape::Any, "selfLink": Shape::Any, "uid": Shape::Any,
    "managedFields": Shape::Any,
};

static OWNER_REFERENCES: Shape = Shape::List(&only! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "name": Shape::Any, "uid": Shape::Any,
    "controller": Shape::Any, "blockOwnerDeletion": Shape::Any,
});
