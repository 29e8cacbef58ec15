//! What a mesh holds, put into words: its bundle, its issuer, and its proxies by what they trust.

use jiff::Timestamp;
use serde::Serialize;

use crate::mesh::{ChangeTime, Held, Known, Mesh, ProxyGroup, Published};
use crate::pki::{Bundle, Rules, accepts};
use crate::report::CertificateView;
use crate::rotation::{Record, Scope};

/// The bundle or the issuer: where it stands, its certificates, what is to be said of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    pub(super) place: String,
    pub(super) certificates: Vec<CertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Timestamp>,
    pub(super) remarks: Vec<String>,
}

/// Proxies that hold the same bundle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Class {
    pub(super) holds: String,
    pub(super) proxies: u64,
    pub(super) workloads: Vec<String>,
}

/// What a class of proxies holds that needs nothing.
pub(super) const CURRENT: &str = "the published bundle";

impl Shown {
    fn nothing(place: &str, remark: String) -> Self {
        Self { place: place.to_owned(), certificates: Vec::new(), changed: None, remarks: vec![remark] }
    }
}

pub(super) fn bundle(mesh: &Mesh) -> Shown {
    let published = match &mesh.trust.published {
        Known::Is(published) => published,
        Known::Absent => return Shown::nothing("", "there is none".to_owned()),
        Known::Unknown(why) => return Shown::nothing("", format!("not known: {why}")),
    };
    let place = format!("ConfigMap {}/{}", mesh.control_plane.namespace, published.home.config_map());
    match published.text.as_read_by(Rules::Proxy) {
        Err(defect) => Shown::nothing(&place, format!("cannot be read: {defect}")),
        Ok(bundle) => Shown {
            place,
            certificates: bundle.anchors().iter().map(CertificateView::from).collect(),
            changed: match published.changed {
                ChangeTime::At(changed) => Some(changed),
                ChangeTime::Since(_) | ChangeTime::Unknown => None,
            },
            remarks: fault(published).into_iter().collect(),
        },
    }
}

fn fault(published: &Published) -> Option<String> {
    let fault = published.text.as_read_by(Rules::Controller).err()?;
    Some(format!("the control plane would not start with this text: {fault}"))
}

pub(super) fn issuer(mesh: &Mesh, at: Timestamp) -> Shown {
    let namespace = &mesh.control_plane.namespace;
    let issuer = match &mesh.issuer {
        Known::Is(issuer) => issuer,
        Known::Absent => {
            return Shown::nothing("", format!("there is no Secret {namespace}/linkerd-identity-issuer"));
        }
        Known::Unknown(why) => return Shown::nothing("", format!("not known: {why}")),
    };
    let place = if issuer.from_secret {
        format!("Secret {namespace}/linkerd-identity-issuer")
    } else {
        format!("ConfigMap {namespace}/linkerd-config (the Secret could not be read)")
    };
    let chain = match &issuer.chain {
        Ok(chain) => chain,
        Err(why) => return Shown::nothing(&place, format!("cannot be read: {why}")),
    };
    let certificates = chain.certificates().map(CertificateView::from).collect();
    let mut remarks = Vec::new();
    if let Known::Is(published) = &mesh.trust.published {
        for (rules, who) in [
            (Rules::Proxy, "proxies with the published bundle"),
            (Rules::Controller, "the identity controller"),
        ] {
            let verdict = published
                .text
                .as_read_by(rules)
                .ok()
                .map(|bundle| accepts(bundle, chain, &mesh.identity_name(), at, rules));
            if let Some(Err(refusal)) = verdict {
                remarks.push(format!("not accepted by {who}: {refusal}"));
            }
        }
    }
    Shown { place, certificates, changed: None, remarks }
}

pub(super) fn classes(mesh: &Mesh, record: Option<&Record>) -> Vec<Class> {
    let published =
        mesh.trust.published.as_option().and_then(|published| published.text.as_read_by(Rules::Proxy).ok());
    let mut classes: Vec<Class> = Vec::new();
    for group in &mesh.proxies {
        let holds = match group.held {
            Held::ByReference => by_reference(mesh, group).to_owned(),
            Held::Nothing => "no trust anchor".to_owned(),
            Held::Literal(_) => {
                match mesh.literal_bundle(&group.held).map(|text| text.as_read_by(Rules::Proxy)) {
                    Some(Ok(bundle)) => held(bundle, published, record),
                    Some(Err(defect)) => format!("a bundle that cannot be read ({defect})"),
                    None => "a bundle that was not kept".to_owned(),
                }
            }
        };
        let workload = mesh.workload(group.workload).object.to_string();
        match classes.iter_mut().find(|class| class.holds == holds) {
            Some(class) => {
                class.proxies += group.count();
                class.workloads.push(workload);
            }
            None => classes.push(Class { holds, proxies: group.count(), workloads: vec![workload] }),
        }
    }
    classes.iter_mut().for_each(|class| class.workloads.dedup());
    classes.sort_by(|a, b| b.proxies.cmp(&a.proxies).then_with(|| a.holds.cmp(&b.holds)));
    classes
}

/// What proxies hold that read the ConfigMap when they started.
fn by_reference(mesh: &Mesh, group: &ProxyGroup) -> &'static str {
    match mesh.trust.published.as_option().map(|published| published.changed) {
        Some(ChangeTime::At(changed))
            if group.starts.unknown == 0 && group.starts.not_after(changed) == 0 =>
        {
            CURRENT
        }
        Some(ChangeTime::At(changed)) if group.starts.not_after(changed) == group.count() => {
            "what the ConfigMap held before its last change"
        }
        Some(ChangeTime::At(_)) => {
            "the published bundle or, some of them, what it was before its last change"
        }
        _ => "what the ConfigMap held when they started",
    }
}

fn held(bundle: &Bundle, published: Option<&Bundle>, record: Option<&Record>) -> String {
    if published.is_some_and(|published| published.same_set(bundle)) {
        return CURRENT.to_owned();
    }
    let new = record.and_then(|record| match &record.scope {
        Scope::Full { anchor } => Some(anchor),
        Scope::IssuerOnly => None,
    });
    let names: Vec<_> = bundle
        .anchors()
        .iter()
        .map(|anchor| match new {
            Some(new) if new == anchor => format!("the new anchor {}", anchor.fingerprint().short()),
            _ => format!("{} {}", anchor.name(), anchor.fingerprint().short()),
        })
        .collect();
    format!("only {}", names.join(" and "))
}
