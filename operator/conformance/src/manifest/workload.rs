//! Reads workloads, which have pod templates that stand for pods.

use serde::Deserialize;

use super::{
    kind::Owner,
    metadata::{self, ManifestMetadata},
    pod::{PodTemplate, ReadTemplate},
    rejection::ObjectFault,
};
use crate::{kinds::WorkloadKind, policy::json, reference::ObjectRef};

/// A workload of any kind but `CronJob`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct Workload {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: WorkloadSpec,
}

/// The `spec` of a workload; that of a Job or a `DaemonSet` has no replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct WorkloadSpec {
    replicas: Option<i64>,
    #[serde(default, deserialize_with = "json::optional")]
    template: PodTemplate,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct CronJob {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: CronJobSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct CronJobSpec {
    #[serde(default, deserialize_with = "json::optional")]
    job_template: JobTemplate,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct JobTemplate {
    #[serde(default, deserialize_with = "json::optional")]
    spec: WorkloadSpec,
}

json::only_from_objects!(Workload, WorkloadSpec, CronJob, CronJobSpec, JobTemplate);

/// A workload of the input, with its template and owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadWorkload {
    pub(super) template: ReadTemplate,
    /// The workload that controls this one, as a Deployment does a `ReplicaSet`.
    pub(super) owner: Option<Owner>,
    /// Whether the workload is scaled to none. If it has an owner, that has then left it behind.
    pub(super) scaled_to_none: bool,
}

/// The labels that the Job controller gives pods, with the Job's name.
const JOB_NAMES: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

impl Workload {
    /// Reads the object as the workload of this name.
    pub(super) fn read(
        self,
        kind: WorkloadKind,
        name: &ObjectRef,
    ) -> Result<ReadWorkload, ObjectFault> {
        metadata::check_namespaced(name)?;
        let mut template = self.spec.template.read("spec.template")?;
        if kind == WorkloadKind::Job {
            for key in JOB_NAMES {
                template.labels.entry(key.to_owned()).or_insert_with(|| name.name.clone());
            }
        }
        Ok(ReadWorkload {
            template,
            owner: Owner::of(&self.metadata),
            scaled_to_none: self.spec.replicas == Some(0),
        })
    }
}

impl CronJob {
    /// Reads the object as the workload of this name.
    pub(super) fn read(self, name: &ObjectRef) -> Result<ReadWorkload, ObjectFault> {
        metadata::check_namespaced(name)?;
        let template = self.spec.job_template.spec.template;
        let template = template.read("spec.jobTemplate.spec.template")?;
        Ok(ReadWorkload { template, owner: Owner::of(&self.metadata), scaled_to_none: false })
    }
}
