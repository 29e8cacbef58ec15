//! What is asked of a cluster, and how its answers make a whole.

mod home;
mod served;

use std::collections::VecDeque;

use super::intake::Intake;
use super::kubectl::{Answer, Running};
use super::{Cluster, Request, Sink, SourceError};
use crate::linkerd;
use crate::mesh::{
    CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, Gap, Interest, Scope as Asked, TRUST_MANAGER_GROUP, Unread,
};
use crate::printable::escaped;
use served::Served;

/// A resource, and the versions of its API to try, newest first.
#[derive(Clone, Copy)]
struct Resource {
    group: &'static str,
    versions: &'static [&'static str],
    name: &'static str,
    kind: &'static str,
    scope: Scope,
}

/// Where objects of a resource are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// They have no namespace.
    Cluster,
    /// Everywhere, whatever `--namespace` says.
    Everywhere,
    /// In the control plane's namespace.
    ControlPlane,
    /// They are the data plane: in `--namespace`, and the control plane's.
    DataPlane,
}

const fn resource(
    group: &'static str,
    versions: &'static [&'static str],
    name: &'static str,
    kind: &'static str,
    scope: Scope,
) -> Resource {
    Resource { group, versions, name, kind, scope }
}

/// Objects that are known by name, in the control plane's namespace (the rest of the observer's needs are lists).
const NAMED: [(&str, &str, &str); 4] = [
    ("configmaps", "ConfigMap", linkerd::CONFIG),
    ("configmaps", "ConfigMap", linkerd::TRUST_ROOTS),
    ("secrets", "Secret", linkerd::ISSUER_SECRET),
    ("secrets", "Secret", linkerd::CONFIG_OVERRIDES),
];

/// What is about trust, and lists that are short even in a big cluster.
const SHORT: &[Resource] = &[
    resource("", &["v1"], "namespaces", "Namespace", Scope::Cluster),
    resource(
        "multicluster.linkerd.io",
        &["v1alpha3", "v1alpha2", "v1alpha1"],
        "links",
        "Link",
        Scope::Everywhere,
    ),
    resource(
        "workload.linkerd.io",
        &["v1beta1", "v1alpha1"],
        "externalworkloads",
        "ExternalWorkload",
        Scope::DataPlane,
    ),
    resource(CERT_MANAGER_GROUP, &["v1"], "certificates", "Certificate", Scope::Everywhere),
    resource(CERT_MANAGER_GROUP, &["v1"], "certificaterequests", "CertificateRequest", Scope::Everywhere),
    resource(CERT_MANAGER_GROUP, &["v1"], "issuers", "Issuer", Scope::Everywhere),
    resource(CERT_MANAGER_GROUP, &["v1"], "clusterissuers", "ClusterIssuer", Scope::Cluster),
    resource(TRUST_MANAGER_GROUP, &["v1alpha1"], "bundles", "Bundle", Scope::Cluster),
    resource(CLUSTER_BUNDLE_GROUP, &["v1alpha2"], "clusterbundles", "ClusterBundle", Scope::Cluster),
    resource(
        "external-secrets.io",
        &["v1", "v1beta1"],
        "externalsecrets",
        "ExternalSecret",
        Scope::ControlPlane,
    ),
    resource("bitnami.com", &["v1alpha1"], "sealedsecrets", "SealedSecret", Scope::ControlPlane),
];

/// Workloads: they come before the pods that they own.
const WORKLOADS: &[Resource] = &[
    resource("apps", &["v1"], "deployments", "Deployment", Scope::DataPlane),
    resource("apps", &["v1"], "statefulsets", "StatefulSet", Scope::DataPlane),
    resource("apps", &["v1"], "daemonsets", "DaemonSet", Scope::DataPlane),
    resource("apps", &["v1"], "replicasets", "ReplicaSet", Scope::DataPlane),
    resource("batch", &["v1"], "jobs", "Job", Scope::DataPlane),
    resource("batch", &["v1", "v1beta1"], "cronjobs", "CronJob", Scope::DataPlane),
    resource("argoproj.io", &["v1alpha1"], "rollouts", "Rollout", Scope::DataPlane),
    resource("", &["v1"], "replicationcontrollers", "ReplicationController", Scope::DataPlane),
];

/// Every pod that the injector, or `linkerd inject`, has put a proxy into has this label.
const PODS: Resource = resource("", &["v1"], "pods", "Pod", Scope::DataPlane);
const INJECTED: &str = "linkerd.io/control-plane-ns";

/// Where Linkerd is installed unless somebody chose another namespace.
const USUAL_NAMESPACE: &str = "linkerd";

/// Every resource that is asked for, by group and name.
#[cfg(test)]
pub(crate) fn asked() -> std::collections::BTreeSet<(&'static str, &'static str)> {
    let named = NAMED.iter().map(|(name, ..)| ("", *name));
    let lists = SHORT.iter().chain(WORKLOADS).chain([&PODS]).map(|resource| (resource.group, resource.name));
    named.chain(lists).collect()
}

/// How many objects a page of a list has: each is a kubectl, whose start costs as much as four hundred pods.
const PAGE: usize = 2000;
/// How often a list that expires is begun again, before it is asked for in one piece.
const ATTEMPTS: usize = 3;
/// How many kubectl run at once: starting one takes longer than reading most answers.
const AHEAD: usize = 4;

/// One question: the ways to ask it until one is answered, and what it is called when it is not.
#[derive(Debug, Clone)]
struct Query {
    group: String,
    resource: String,
    of: Asked,
    /// The same resource under each version of its API.
    paths: Vec<String>,
    selector: Option<String>,
    list: bool,
    /// Asked instead where this user may not see all namespaces.
    narrower: Option<Box<Self>>,
}

/// Reads all that the sink is interested in. A control plane that is not where it is expected, and whose namespace nobody gave,
/// is looked for: what was read until then is of another namespace, and is read again.
pub(super) fn read<S: Sink>(request: &Request, intake: Intake<S>) -> Result<Intake<S>, SourceError> {
    let cluster = &request.cluster;
    let given = request.linkerd_namespace.as_deref();
    let served = cluster.ahead(served::PATH.to_owned())?;
    let mut scopes = Scopes {
        control_plane: given.unwrap_or(USUAL_NAMESPACE).to_owned(),
        data_plane: cluster.namespace.as_deref(),
        served: Served::default(),
    };
    let mut reading = Reading::new(cluster, intake.clone());
    reading.ask_all(&scopes.named(&intake))?;
    scopes.served = Served::read(served)?;
    if given.is_none()
        && !reading.has_config
        && let Some(found) = home::find(cluster)?
        && found != scopes.control_plane
    {
        scopes.control_plane = found;
        reading = Reading::new(cluster, intake.clone());
        reading.ask_all(&scopes.named(&intake))?;
    }
    for gap in scopes.unread(&intake) {
        reading.intake.gap(gap.clone());
        reading.gaps.push(gap);
    }
    let lists = [scopes.lists(SHORT, None, &intake), scopes.lists(WORKLOADS, None, &intake)].concat();
    reading.ask_all(&lists)?;
    let gaps = reading.gaps.len();
    let pods = scopes.lists(&[PODS], Some(INJECTED), &intake);
    reading.ask_all(&pods)?;
    if reading.gaps.len() == gaps && !pods.is_empty() {
        reading.intake.pods_were_read();
    }
    if !reading.answered && !reading.gaps.is_empty() {
        return Err(SourceError::NothingReadable { gaps: reading.gaps });
    }
    Ok(reading.intake)
}

/// Which namespaces are looked into.
struct Scopes<'a> {
    control_plane: String,
    data_plane: Option<&'a str>,
    served: Served,
}

fn is_wanted<S: Sink>(resource: &Resource, intake: &Intake<S>) -> bool {
    let is_wanted = |version: &&str| {
        intake.interest(&group_version(resource.group, version), resource.kind) != Interest::None
    };
    resource.versions.iter().any(is_wanted)
}

impl Scopes<'_> {
    /// The questions for objects that are known by name.
    fn named<S: Sink>(&self, intake: &Intake<S>) -> Vec<Query> {
        let named = NAMED.iter().filter(|(_, kind, _)| intake.interest("v1", kind) != Interest::None);
        named.map(|(resource, _, name)| Query::named(resource, &self.control_plane, name)).collect()
    }

    /// The questions for all objects of those resources that the sink is interested in.
    fn lists<S: Sink>(
        &self,
        resources: &[Resource],
        selector: Option<&'static str>,
        intake: &Intake<S>,
    ) -> Vec<Query> {
        let wanted = resources.iter().filter(|resource| is_wanted(resource, intake));
        wanted.flat_map(|resource| self.queries(resource, selector)).collect()
    }

    /// What the server has, and in no version that is asked for.
    fn unread<S: Sink>(&self, intake: &Intake<S>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for resource in [SHORT, WORKLOADS].concat().iter().filter(|resource| is_wanted(resource, intake)) {
            let Some(versions) = self.served.others(resource) else { continue };
            let (group, resource) = (resource.group.to_owned(), resource.name.to_owned());
            let why = Unread::OtherVersions(escaped(&versions).into_owned());
            gaps.push(Gap { group, resource, scope: Asked::All, why });
        }
        gaps
    }

    /// The questions that get at all objects of a resource.
    fn queries(&self, resource: &Resource, selector: Option<&'static str>) -> Vec<Query> {
        let versions = self.served.versions(resource);
        if versions.is_empty() {
            return Vec::new();
        }
        let within = |namespace: Option<&str>| {
            Query::list(resource, &versions, namespace, selector.map(str::to_owned))
        };
        let control_plane = self.control_plane.as_str();
        match (resource.scope, self.data_plane) {
            (Scope::Cluster, _) => vec![within(None)],
            (Scope::ControlPlane, _) => vec![within(Some(control_plane))],
            (Scope::DataPlane, Some(namespace)) if namespace == control_plane => {
                vec![within(Some(namespace))]
            }
            (Scope::DataPlane, Some(namespace)) => {
                vec![within(Some(control_plane)), within(Some(namespace))]
            }
            (Scope::Everywhere | Scope::DataPlane, _) => {
                let narrower = Some(Box::new(within(Some(control_plane))));
                vec![Query { narrower, ..within(None) }]
            }
        }
    }
}

impl Query {
    fn named(resource: &str, namespace: &str, name: &str) -> Self {
        let path = format!("/api/v1/namespaces/{}/{resource}/{}", encoded(namespace), encoded(name));
        let of = Asked::Object { namespace: namespace.to_owned(), name: name.to_owned() };
        Self {
            group: String::new(),
            resource: resource.to_owned(),
            of,
            paths: vec![path],
            selector: None,
            list: false,
            narrower: None,
        }
    }

    fn list(
        resource: &Resource,
        versions: &[&str],
        namespace: Option<&str>,
        selector: Option<String>,
    ) -> Self {
        let Resource { group, name, .. } = *resource;
        let root = if group.is_empty() { "/api" } else { "/apis/" };
        let within =
            namespace.map(|namespace| format!("namespaces/{}/", encoded(namespace))).unwrap_or_default();
        let path = |version: &&str| {
            format!(
                "{root}{}{}/{within}{name}",
                if group.is_empty() { "/" } else { "" },
                group_version(group, version)
            )
        };
        let paths = versions.iter().map(path).collect();
        let (group, resource) = (group.to_owned(), name.to_owned());
        Self { group, resource, of: Asked::All, paths, selector, list: true, narrower: None }
    }

    /// The path with its parameters.
    fn url(&self, path: &str, limit: bool, next: Option<&str>) -> String {
        let limit = (self.list && limit).then(|| format!("limit={PAGE}"));
        let selector = self.selector.as_ref().map(|selector| format!("labelSelector={}", encoded(selector)));
        let next = next.map(|token| format!("continue={}", encoded(token)));
        let parameters: Vec<String> = [limit, selector, next].into_iter().flatten().collect();
        if parameters.is_empty() { path.to_owned() } else { format!("{path}?{}", parameters.join("&")) }
    }

    fn first(&self) -> String {
        self.url(&self.paths[0], true, None)
    }
}

struct Reading<'a, S> {
    cluster: &'a Cluster,
    intake: Intake<S>,
    /// Was anything answered at all?
    answered: bool,
    /// Was `linkerd-config` there?
    has_config: bool,
    gaps: Vec<Gap>,
}

impl<'a, S: Sink> Reading<'a, S> {
    const fn new(cluster: &'a Cluster, intake: Intake<S>) -> Self {
        Self { cluster, intake, answered: false, has_config: false, gaps: Vec::new() }
    }

    /// Asks a few questions at a time; the answers are taken in one after the other, in order.
    fn ask_all(&mut self, queries: &[Query]) -> Result<(), SourceError> {
        let mut running = VecDeque::new();
        let mut waiting = queries.iter();
        for query in queries {
            for query in waiting.by_ref().take(AHEAD - running.len()) {
                running.push_back(self.cluster.ahead(query.first())?);
            }
            self.ask(query, running.pop_front())?;
        }
        Ok(())
    }

    /// Asks one question until it is answered; `started` is the first kubectl for it.
    fn ask(&mut self, query: &Query, mut started: Option<Running>) -> Result<(), SourceError> {
        for path in &query.paths {
            match self.list(query, path, started.take())? {
                Answer::Absent if query.resource == "secrets" => self.intake.secrets_were_read(),
                Answer::Absent => {}
                Answer::Forbidden(why) => return self.refused(query, why),
                Answer::Read(_) | Answer::Expired => {
                    self.answered = true;
                    self.has_config |= !query.list && path.ends_with(linkerd::CONFIG);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes what may not be read, and reads as much of it as may be.
    fn refused(&mut self, query: &Query, why: String) -> Result<(), SourceError> {
        let Query { group, resource, of, .. } = query;
        let is_it = |known: &Gap| (&known.group, &known.resource, &known.scope) == (group, resource, of);
        if !self.gaps.iter().any(is_it) {
            let (group, resource, scope) = (group.clone(), resource.clone(), of.clone());
            let gap = Gap { group, resource, scope, why: Unread::Refused(escaped(&why).into_owned()) };
            self.intake.gap(gap.clone());
            self.gaps.push(gap);
        }
        query.narrower.as_ref().map_or(Ok(()), |narrower| self.ask(narrower, None))
    }

    /// Reads an object, or all pages of a list, each of which is asked for while the one before is read; of a list that expires
    /// nothing is kept, and it is begun again.
    fn list(
        &mut self,
        query: &Query,
        path: &str,
        mut started: Option<Running>,
    ) -> Result<Answer, SourceError> {
        for attempt in 0..=ATTEMPTS {
            let paged = attempt < ATTEMPTS;
            let mut intake = self.intake.clone();
            let mut next: Option<String> = None;
            let mut pages = 0;
            let answer = loop {
                if pages == self.cluster.pages {
                    return Err(SourceError::Endless { path: path.to_owned(), pages });
                }
                pages += 1;
                let running = match started.take() {
                    Some(running) => running,
                    None => self.cluster.get(query.url(path, paged, next.as_deref()))?,
                };
                let mut coming = None;
                let read = running.read_page(&mut intake, &mut |token| {
                    if query.list && pages < self.cluster.pages {
                        let url = query.url(path, paged, Some(token));
                        coming = Some((token.to_owned(), self.cluster.ahead(url)));
                    }
                });
                match (read?, &next) {
                    (Answer::Read(Some(token)), Some(this)) if query.list && token == *this => {
                        return Err(SourceError::Circle { path: path.to_owned() });
                    }
                    (Answer::Read(Some(token)), _) if query.list => {
                        let coming = coming.filter(|(named, _)| *named == token);
                        started = coming.map(|(_, running)| running).transpose()?;
                        next = Some(token);
                    }
                    (Answer::Forbidden(_) | Answer::Absent, Some(_)) => {
                        let said = "its first pages were given, the next one was not".to_owned();
                        return Err(SourceError::BrokenOff { path: path.to_owned(), said });
                    }
                    (answer, _) => break answer,
                }
            };
            match answer {
                Answer::Expired => {}
                Answer::Read(_) => {
                    self.intake = intake;
                    return Ok(answer);
                }
                Answer::Forbidden(_) | Answer::Absent => return Ok(answer),
            }
        }
        Err(SourceError::Expired { path: path.to_owned(), times: ATTEMPTS + 1 })
    }
}

/// `apps/v1`, or `v1` for the core group.
fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Percent-encoding of all that is not unreserved (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
