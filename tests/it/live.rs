//! The cluster path: the real kubectl against an API server that pages, refuses, expires and breaks off.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use l5d_rotate::mesh::{Known, Unread};
use l5d_rotate::source::{Cluster, Observed, Request, SourceError, observe};
use serde_json::json;

use crate::runner;
use crate::support::api_server::{EXPIRED, NOT_FOUND, Reply, Server, groups};
use crate::support::recorder::Recorder;

/// What the cluster path makes of a server.
trait Asked {
    fn cluster(&self) -> Cluster;
    fn read(&self) -> Result<Recorder, SourceError>;
    fn read_as(&self, cluster: Cluster) -> Result<Recorder, SourceError>;
}

impl Asked for Server {
    fn cluster(&self) -> Cluster {
        Cluster { kubeconfig: Some(self.kubeconfig()), ..Cluster::default() }
    }

    fn read(&self) -> Result<Recorder, SourceError> {
        self.read_as(self.cluster())
    }

    fn read_as(&self, cluster: Cluster) -> Result<Recorder, SourceError> {
        let observed = observe(&Request { cluster, ..Request::default() }, Recorder::default());
        let seen = self.seen.lock().unwrap();
        assert!(seen.iter().all(|request| request.starts_with("GET ")), "only GETs: {seen:#?}");
        observed.map(|observed| match observed {
            Observed::Objects(recorder) => recorder,
            Observed::Snapshot(_) => panic!("a snapshot from a cluster"),
        })
    }
}

fn list(kind: &str, names: &[&str], next: &str) -> Reply {
    let items: Vec<_> =
        names.iter().map(|name| json!({"metadata": {"name": name, "namespace": "x"}})).collect();
    let version = if kind == "DeploymentList" { "apps/v1" } else { "v1" };
    Reply::Json(json!({"kind": kind, "apiVersion": version, "metadata": {"continue": next}, "items": items}))
}

/// A small Linkerd without CRDs, whose pods are as `pods` answers.
fn linkerd(pods: impl Fn(&str) -> Reply) -> impl Fn(&str) -> Reply {
    move |target| match target.split('?').next().unwrap_or_default() {
        "/api/v1/pods" => pods(target),
        "/api/v1/namespaces/linkerd/configmaps/linkerd-config" => Reply::Json(
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "linkerd-config", "namespace": "linkerd"}}),
        ),
        "/api/v1/namespaces/linkerd/secrets/linkerd-identity-issuer" => {
            Reply::Status(403, "Forbidden", "secrets is forbidden")
        }
        "/api/v1/namespaces" => list("NamespaceList", &["linkerd"], ""),
        "/apis/apps/v1/deployments" => list("DeploymentList", &["web"], ""),
        "/apis" => groups(&[]),
        _ => NOT_FOUND,
    }
}

/// The lines that begin with `word`.
fn of<'a>(recorder: &'a Recorder, word: &str) -> Vec<&'a str> {
    recorder.0.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

fn pods(recorder: &Recorder) -> Vec<&str> {
    of(recorder, "pod").iter().map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn a_cluster_is_read_page_by_page_and_what_is_refused_is_a_gap() {
    if !runner::has("a_cluster_is_read_page_by_page_and_what_is_refused_is_a_gap", &["kubectl"]) {
        return;
    }
    let linkerd = linkerd(|target| match target.split_once("continue=") {
        None => list("PodList", &["a", "b"], "to/ken=="),
        Some((_, token)) if token.split('&').next() == Some("to%2Fken%3D%3D") => list("PodList", &["c"], ""),
        Some(_) => NOT_FOUND,
    });
    // It does not tell which kinds it has.
    let server = Server::start(move |target| if target == "/apis" { NOT_FOUND } else { linkerd(target) });
    let recorder = server.read().unwrap();
    assert_eq!(pods(&recorder), ["x/a", "x/b", "x/c"]);
    let objects: Vec<_> =
        of(&recorder, "object").iter().map(|line| line.split(" at ").next().unwrap()).collect();
    assert_eq!(
        objects,
        ["v1 ConfigMap linkerd/linkerd-config", "v1 Namespace x/linkerd", "apps/v1 Deployment x/web"]
    );
    let gap = "secrets linkerd/linkerd-identity-issuer: Error from server (Forbidden): secrets is forbidden";
    assert_eq!(of(&recorder, "gap"), [gap]);
    assert_eq!(recorder.0.last().unwrap(), "pods were read");
    assert_eq!(
        server.targets("/api/v1/pods")[0],
        "/api/v1/pods?labelSelector=linkerd.io%2Fcontrol-plane-ns&limit=2000"
    );
    // A kind that is unknown in its newest version is asked for in the older ones.
    assert_eq!(server.targets("/links").len(), 3);
    // Kinds of no interest to the sink are not asked for.
    assert_eq!(server.targets("/certificates"), [""; 0]);
}

#[test]
fn kinds_that_a_cluster_does_not_serve_are_not_asked_for() {
    if !runner::has("kinds_that_a_cluster_does_not_serve_are_not_asked_for", &["kubectl"]) {
        return;
    }
    for (whole, asked) in [("apps", vec!["v1alpha2"]), ("batch", vec!["v1alpha3", "v1alpha2", "v1alpha1"])] {
        let group = |name: &str, version: &str| json!({"name": name, "versions": [{"version": version}]});
        let groups = [group(whole, "v1"), group("multicluster.linkerd.io", "v1alpha2")];
        let groups = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
        let server = Server::start(move |target| match target {
            "/apis" => Reply::Json(groups.clone()),
            other => linkerd(|_| list("PodList", &[], ""))(other),
        });
        server.read().unwrap();
        let links = |version| format!("/apis/multicluster.linkerd.io/{version}/links?limit=2000");
        // A list without the group that every API server has is not the whole.
        assert_eq!(server.targets("/links"), asked.into_iter().map(links).collect::<Vec<_>>());
        assert_eq!(server.targets("/cronjobs").is_empty(), whole == "apps");
    }
}

#[test]
fn a_kind_in_versions_that_are_not_known_is_a_gap() {
    if !runner::has("a_kind_in_versions_that_are_not_known_is_a_gap", &["kubectl"]) {
        return;
    }
    let server = Server::start(move |target| match target {
        "/apis" => groups(&["multicluster.linkerd.io/v7"]),
        other => linkerd(|_| list("PodList", &[], ""))(other),
    });
    let recorder = server.read().unwrap();
    let gaps = of(&recorder, "gap").into_iter().filter(|gap| gap.contains("links")).collect::<Vec<_>>();
    assert_eq!(
        gaps,
        ["links.multicluster.linkerd.io: the API server has it as v7 only, which this program does not read"]
    );
    assert_eq!(server.targets("/links"), [""; 0]);
}

#[test]
fn connection_flags_are_handed_to_kubectl() {
    if !runner::has("connection_flags_are_handed_to_kubectl", &["kubectl"]) {
        return;
    }
    let server = Server::start(linkerd(|_| list("PodList", &[], "")));
    let cluster = Cluster {
        context: Some("other".to_owned()),
        cluster: Some("test".to_owned()),
        user: Some("test".to_owned()),
        impersonate: Some("jane".to_owned()),
        impersonate_groups: vec!["dev".to_owned(), "ops".to_owned()],
        request_timeout: Some("30s".to_owned()),
        ..server.cluster()
    };
    assert_eq!(server.read_as(cluster).unwrap().0.last().unwrap(), "pods were read");
    let seen = server.seen.lock().unwrap();
    let headers = "Impersonate-Group: dev Impersonate-Group: ops Impersonate-User: jane";
    assert!(
        seen.iter().all(|request| {
            let mut found: Vec<_> = request.split(" Impersonate").skip(1).collect();
            found.sort_unstable();
            found.iter().map(|header| format!("Impersonate{header}")).collect::<Vec<_>>().join(" ") == headers
        }),
        "{seen:#?}"
    );
}

#[test]
fn a_namespace_narrows_the_data_plane_but_not_the_control_plane() {
    if !runner::has("a_namespace_narrows_the_data_plane_but_not_the_control_plane", &["kubectl"]) {
        return;
    }
    let server = Server::start(|target| match target.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/linkerd/pods" => list("PodList", &["identity"], ""),
        "/api/v1/namespaces/shop/pods" => list("PodList", &["web"], ""),
        other => linkerd(|_| NOT_FOUND)(other),
    });
    let recorder =
        server.read_as(Cluster { namespace: Some("shop".to_owned()), ..server.cluster() }).unwrap();
    assert_eq!(pods(&recorder), ["x/identity", "x/web"]);
    // They are asked for at the same time.
    let mut asked = server.targets("/deployments");
    asked.sort();
    assert_eq!(
        asked,
        [
            "/apis/apps/v1/namespaces/linkerd/deployments?limit=2000",
            "/apis/apps/v1/namespaces/shop/deployments?limit=2000"
        ]
    );
}

#[test]
fn a_user_who_may_not_see_all_pods_still_sees_the_control_plane() {
    if !runner::has("a_user_who_may_not_see_all_pods_still_sees_the_control_plane", &["kubectl"]) {
        return;
    }
    let server = Server::start(|target| match target.split('?').next().unwrap_or_default() {
        "/api/v1/pods" => Reply::Status(403, "Forbidden", "pods is forbidden at the cluster scope"),
        "/api/v1/namespaces/linkerd/pods" => list("PodList", &["identity"], ""),
        _ => NOT_FOUND,
    });
    let recorder = server.read().unwrap();
    assert_eq!(pods(&recorder), ["x/identity"]);
    assert_eq!(
        of(&recorder, "gap"),
        ["pods: Error from server (Forbidden): pods is forbidden at the cluster scope"]
    );
    assert!(!recorder.0.contains(&"pods were read".to_owned()));
}

#[test]
fn a_list_that_expires_is_read_again_from_its_start_and_nothing_counts_twice() {
    if !runner::has("a_list_that_expires_is_read_again_from_its_start_and_nothing_counts_twice", &["kubectl"])
    {
        return;
    }
    let expired = Arc::new(Mutex::new(0));
    let server = Server::start(linkerd(move |target| match target.split_once("continue=") {
        None => list("PodList", &["a", "b"], "next"),
        Some(_) => {
            let mut expired = expired.lock().unwrap();
            *expired += 1;
            if *expired == 1 { EXPIRED } else { list("PodList", &["c"], "") }
        }
    }));
    assert_eq!(pods(&server.read().unwrap()), ["x/a", "x/b", "x/c"]);
    assert_eq!(server.targets("/api/v1/pods").len(), 4);
}

#[test]
fn a_list_that_always_expires_is_read_in_one_piece_at_last() {
    if !runner::has("a_list_that_always_expires_is_read_in_one_piece_at_last", &["kubectl"]) {
        return;
    }
    let server =
        Server::start(linkerd(|target| match (target.contains("continue="), target.contains("limit=")) {
            (true, _) => EXPIRED,
            (false, true) => list("PodList", &["a"], "next"),
            (false, false) => list("PodList", &["a", "b"], ""),
        }));
    assert_eq!(pods(&server.read().unwrap()), ["x/a", "x/b"]);
    assert_eq!(server.targets("/api/v1/pods").len(), 7);
}

#[test]
#[ignore = "long"]
fn an_answer_that_breaks_off_is_never_taken_for_the_whole() {
    if !runner::has("an_answer_that_breaks_off_is_never_taken_for_the_whole", &["kubectl"]) {
        return;
    }
    let whole = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a"}}]}"#;
    for length in [0, 40, whole.len() - 2, whole.len()] {
        let server = Server::start(linkerd(move |_| Reply::Cut(whole[..length].to_owned())));
        let error = server.read().unwrap_err();
        assert!(matches!(error, SourceError::BrokenOff { .. }), "{length}: {error}");
        assert!(error.to_string().contains("/api/v1/pods?limit=2000"), "{error}");
        assert!(error.to_string().contains("unexpected EOF"), "{error}");
    }
}

#[test]
fn a_list_whose_later_pages_are_refused_is_an_error() {
    if !runner::has("a_list_whose_later_pages_are_refused_is_an_error", &["kubectl"]) {
        return;
    }
    let server = Server::start(linkerd(|target| {
        if target.contains("continue=") { NOT_FOUND } else { list("PodList", &["a"], "next") }
    }));
    assert!(matches!(server.read(), Err(SourceError::BrokenOff { .. })));
}

#[test]
#[ignore = "long"]
fn answers_that_are_not_the_api_servers_are_called_so() {
    if !runner::has("answers_that_are_not_the_api_servers_are_called_so", &["kubectl"]) {
        return;
    }
    for text in ["<html>please log in</html>", "", "{\"kind\":\"PodList\",\"items\":["] {
        let error = Server::start(linkerd(move |_| Reply::Text(text))).read().unwrap_err();
        assert!(matches!(error, SourceError::Garbage { .. }), "{text}: {error}");
    }
}

#[test]
fn refusals_of_everything_are_an_error_that_says_which() {
    if !runner::has("refusals_of_everything_are_an_error_that_says_which", &["kubectl"]) {
        return;
    }
    let forbidden = Server::start(|_| Reply::Status(403, "Forbidden", "no")).read().unwrap_err();
    assert!(matches!(&forbidden, SourceError::NothingReadable { gaps } if gaps.len() > 5), "{forbidden}");
    let unauthorized =
        Server::start(|_| Reply::Status(401, "Unauthorized", "Unauthorized")).read().unwrap_err();
    assert!(matches!(unauthorized, SourceError::Unauthorized { .. }), "{unauthorized}");
    let server = Server::start(|_| Reply::Status(500, "InternalError", "etcd is down")).read().unwrap_err();
    assert!(matches!(&server, SourceError::Server { said, .. } if said.contains("etcd is down")), "{server}");
}

#[test]
fn a_cluster_that_is_not_there_is_told_from_a_context_that_is_not_there() {
    if !runner::has("a_cluster_that_is_not_there_is_told_from_a_context_that_is_not_there", &["kubectl"]) {
        return;
    }
    let server = Server::start(|_| NOT_FOUND);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(server.kubeconfig(), server.config().replace(&server.address, &closed.to_string()))
        .unwrap();
    let error = server.read().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    let error = server.read_as(Cluster { context: Some("nope".to_owned()), ..server.cluster() }).unwrap_err();
    assert!(matches!(error, SourceError::Configuration { .. }), "{error}");
    let error = server
        .read_as(Cluster { kubeconfig: Some("/no/such/file".into()), ..Cluster::default() })
        .unwrap_err();
    assert!(matches!(error, SourceError::Configuration { .. }), "{error}");
}

#[test]
fn a_missing_kubectl_is_named() {
    let cluster = Cluster { kubectl: "no-such-kubectl".into(), ..Cluster::default() };
    let error = observe(&Request { cluster, ..Request::default() }, Recorder::default()).unwrap_err();
    assert_eq!(error.to_string(), "`no-such-kubectl` was not found");
    assert!(error.help().unwrap().contains("-f"));
}

#[cfg(unix)]
#[test]
fn a_kubectl_that_dies_midway_is_never_believed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("kubectl");
    let list = r#"{"kind":"NamespaceList","apiVersion":"v1","items":[]}"#;
    std::fs::write(&script, format!("#!/bin/sh\necho '{list}'\nkill -9 $$\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster { kubectl: script, ..Cluster::default() };
    let error = observe(&Request { cluster, ..Request::default() }, Recorder::default()).unwrap_err();
    assert!(matches!(&error, SourceError::BrokenOff { said, .. } if said.contains("signal: 9")), "{error}");
}

#[test]
#[ignore = "long"]
fn a_secret_that_the_cluster_does_not_have_is_absent_and_one_that_it_hides_is_unknown() {
    if !runner::has(
        "a_secret_that_the_cluster_does_not_have_is_absent_and_one_that_it_hides_is_unknown",
        &["kubectl"],
    ) {
        return;
    }
    let values = "identityTrustAnchorsPEM: x\nidentity: {externalCA: false}\n";
    let config = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "linkerd-config", "namespace": "linkerd"},
        "data": {"linkerd-crds-chart-version": "x", "values": values}});
    let issuer = |hidden: bool| {
        let config = config.clone();
        let server = Server::start(move |target| match target {
            "/api/v1/namespaces/linkerd/configmaps/linkerd-config" => Reply::Json(config.clone()),
            secret if hidden && secret.contains("/secrets/") => Reply::Status(403, "Forbidden", "hidden"),
            _ => NOT_FOUND,
        });
        l5d_rotate::source::read(&Request { cluster: server.cluster(), ..Request::default() }).unwrap().issuer
    };
    assert_eq!(issuer(false), Known::Absent);
    assert!(matches!(issuer(true), Known::Unknown(Unread::Refused(why)) if why.contains("hidden")));
}
