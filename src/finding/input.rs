//! What is not known, because the input does not tell.

use jiff::Timestamp;
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::{CertificateRef, Pods};
use crate::document::ObjectRef;
use crate::mesh::{BundlePlace, Gap, Unread};
use crate::pki::pem::Defect;

/// Something is not known, because the input does not tell it.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum InputFact {
    /// An object does not exist, or is not in the input.
    ObjectAbsent { object: ObjectRef },
    /// The issuer's certificate cannot be read; `said` is the reader's answer.
    IssuerUnreadable { object: ObjectRef, said: String },
    /// The issuer's private key was not looked at.
    IssuerKeyNotSeen { secret: ObjectRef },
    /// No running container of the control plane is in the input.
    ControlPlaneNotSeen { namespace: String },
    /// Proxies outside of the cluster (`namespace/name` of their ExternalWorkloads).
    ExternalWorkloadsUnseen { names: Vec<String> },
    /// Proxies of linked clusters (`namespace/name` of their Links).
    LinkedClustersUnseen { links: Vec<String> },
    /// The input lacks these, or all namespaces but one.
    InputIncomplete { gaps: Vec<Gap>, only_namespace: Option<String> },
    /// Neither of Linkerd's readers gets an anchor from the published text.
    TrustBundleUnreadable { place: BundlePlace, defect: Option<Defect> },
    /// The issuer's Secret was not read, only the copy of its certificate.
    IssuerCopyOnly { object: ObjectRef, copy: ObjectRef, issuer: CertificateRef, expires: Timestamp },
    /// An object is not known.
    ObjectUnknown { object: ObjectRef, why: Unread },
    /// The input was not asked for pods.
    PodsNotGiven,
    /// Pods could not be read, or are not all there.
    PodsUnknown { why: Unread },
    /// Only one namespace was looked at.
    OneNamespace { namespace: String },
    /// The input does not say when an object last changed.
    ChangeTimeUnknown { object: ObjectRef },
    /// Identity controllers may not have loaded the last change of what they read when they start.
    ChangePerhapsNotLoaded { object: ObjectRef, pods: Vec<String> },
    /// Something that was asked for was not given.
    NotRead(Gap),
    /// The published bundle is not known.
    BundleNotKnown { place: BundlePlace },
    /// The bundle that these proxies hold cannot be read.
    HeldBundleUnreadable { pods: Pods, defect: Defect },
    /// The bundle before the last change is not known, and some proxies may hold it.
    EarlierBundleNotKnown { place: BundlePlace },
    /// The issuer is not known.
    IssuerNotKnown { object: ObjectRef },
    /// The issuer before the last change is not known, and workload certificates that it signed may be in use.
    EarlierIssuerNotKnown { object: ObjectRef },
    /// What the identity controllers have loaded is not known.
    IdentityControllersNotSeen,
}
