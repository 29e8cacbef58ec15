//! A pod as far as its proxy is concerned: what a stream of pods is decoded into, one at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::linkerd;
use crate::printable::escaped;

/// A field that manifests may also leave as null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(field: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}

/// A name, which may also be left as null; what no name has is escaped.
fn name<'de, D: Deserializer<'de>>(field: D) -> Result<String, D::Error> {
    Ok(escaped(&or_default::<D, String>(field)?).into_owned())
}

/// The variables of a container that tell its bundle; of the others it is only known that they can be decoded.
fn bundles<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<EnvVar>, D::Error> {
    let mut variables: Vec<EnvVar> = or_default(field)?;
    variables.retain(|variable| variable.name == linkerd::TRUST_ANCHORS_ENV);
    Ok(variables)
}

/// The fields of a Pod that tell of its proxy; everything else is skipped while decoding.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Names, labels, annotations and owners.
    #[serde(deserialize_with = "or_default")]
    pub metadata: PodMetadata,
    /// Containers.
    #[serde(deserialize_with = "or_default")]
    pub spec: PodSpec,
    /// Phase and container states.
    #[serde(deserialize_with = "or_default")]
    pub status: PodStatus,
}

/// `metadata` of a Pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetadata {
    #[serde(deserialize_with = "name")]
    pub name: String,
    #[serde(deserialize_with = "name")]
    pub namespace: String,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub owner_references: Vec<OwnerReference>,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
}

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub controller: Option<bool>,
}

/// `spec` of a Pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    #[serde(deserialize_with = "or_default")]
    pub host_network: bool,
    #[serde(deserialize_with = "or_default")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub init_containers: Vec<Container>,
}

/// A container of a Pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    /// Only variables that a proxy's bundle is given in.
    #[serde(deserialize_with = "bundles")]
    pub env: Vec<EnvVar>,
}

/// An environment variable of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    pub name: String,
    pub value: Option<String>,
    pub value_from: Option<ValueFrom>,
}

/// `valueFrom` of a variable: of the sources only the one that a proxy's bundle comes from is told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValueFrom {
    pub config_map_key_ref: Option<ConfigMapKey>,
}

/// A key of a ConfigMap in the pod's own namespace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConfigMapKey {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub key: String,
}

/// `status` of a Pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    #[serde(deserialize_with = "or_default")]
    pub phase: String,
    #[serde(deserialize_with = "or_default")]
    pub container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// The status of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    /// `None` in a dump that leaves it out.
    pub ready: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub state: ContainerState,
}

/// `state` of a container: only `running.startedAt` matters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerState {
    pub running: Option<Running>,
}

/// `state.running`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    pub started_at: Option<Timestamp>,
}
