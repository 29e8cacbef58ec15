//! A Linkerd of each era as its chart renders it, in the parts that a rotation touches.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::mesh::*;
use l5d_rotate::pki::{BundleText, IssuerChain};
use serde_json::{Value, json};

use crate::support::mesh;
use crate::support::pki::Pair;

/// What was observed.
pub struct Install {
    pub mesh: Mesh,
}

pub const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];
pub const SCHEMES: [Scheme; 2] = [Scheme::Linkerd, Scheme::Kubernetes];

impl Install {
    pub fn new(era: Era, scheme: Scheme, pair: &Pair) -> Self {
        let mut objects = vec![config(era, scheme, pair), secret(era, scheme, pair)];
        if era.control_plane_by_reference() {
            let data = json!({ "ca-bundle.crt": pair.bundle().to_pem().trim_end() });
            objects.push(object("v1", "ConfigMap", "linkerd-identity-trust-roots", json!({ "data": data })));
        }
        objects.extend(["linkerd-identity", "linkerd-destination"].map(|name| deployment(era, name, pair)));
        let mut web = workload("Deployment", "emojivoto", "web", json!({ "linkerd.io/inject": "enabled" }));
        web["spec"]["template"]["spec"]["containers"] = json!([{ "name": "web", "image": "web:1" }]);
        objects.extend([web, workload("StatefulSet", "books", "authors.v1", Value::Null)]);
        Self::of(era, scheme, objects)
    }

    /// A mesh in which these objects were observed.
    pub fn of(era: Era, scheme: Scheme, objects: Vec<Value>) -> Self {
        let manifests: Vec<_> = objects.into_iter().map(manifest).collect();
        let workloads = manifests.iter().filter(|manifest| manifest.tree["spec"]["template"].is_object());
        let workloads: Vec<_> = workloads.map(|manifest| workload_of(&manifest.tree)).collect();
        let mut mesh = mesh::bare(era, scheme);
        mesh.issuer = issuer(scheme, &manifests);
        mesh.trust = trust(era, &manifests);
        (mesh.manifests, mesh.workloads) = (manifests, workloads);
        Self { mesh }
    }

    pub fn control_plane(&self) -> impl Iterator<Item = WorkloadId> {
        self.workloads(Plane::Control)
    }

    pub fn data_plane(&self) -> impl Iterator<Item = WorkloadId> {
        self.workloads(Plane::Data)
    }

    fn workloads(&self, plane: Plane) -> impl Iterator<Item = WorkloadId> {
        let all = self.mesh.workloads.iter().enumerate();
        all.filter(move |(_, workload)| workload.plane == plane).map(|(id, _)| WorkloadId(id))
    }

    pub fn object(&self, object: &ObjectRef) -> &Value {
        &self.mesh.manifest(&object.kind, &object.namespace, &object.name).unwrap().tree
    }
}

fn object(version: &str, kind: &str, name: &str, more: Value) -> Value {
    let labels = json!({ "linkerd.io/control-plane-ns": "linkerd" });
    let mut tree = json!({
        "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": "linkerd", "labels": labels },
    });
    tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    tree
}

pub fn workload(kind: &str, namespace: &str, name: &str, annotations: Value) -> Value {
    let mut metadata = json!({ "labels": { "app": name } });
    if !annotations.is_null() {
        metadata["annotations"] = annotations;
    }
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": metadata, "spec": { "containers": [{ "name": "main", "image": "main:1" }] } },
        },
    })
}

fn indent(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

fn config(era: Era, scheme: Scheme, pair: &Pair) -> Value {
    let (anchors, issuer) = (pair.bundle().to_pem(), pair.chain().to_pem());
    let (name, _) = scheme_name(scheme);
    let tls = match scheme {
        Scheme::Linkerd => format!("    tls:\n      crtPEM: |\n{}", indent(&issuer, 8)),
        Scheme::Kubernetes => "    tls:\n      crtPEM: \"\"\n".to_owned(),
    };
    let identity = format!("identity:\n  issuer:\n    scheme: {name} # as installed\n{tls}");
    let values = match era {
        Era::V2_9 => format!(
            "# settings\nglobal:\n  clusterDomain: cluster.local\n  identityTrustAnchorsPEM: |\n{}{identity}",
            indent(&anchors, 4)
        ),
        _ => format!(
            "# settings\nidentityTrustAnchorsPEM: |\n{}{identity}clusterDomain: cluster.local\n",
            indent(&anchors, 2)
        ),
    };
    let global = json!({ "linkerdNamespace": "linkerd", "identityContext": {
        "trustDomain": "cluster.local", "trustAnchorsPem": anchors, "issuanceLifetime": "86400s", "scheme": name,
    }});
    let data = match era {
        Era::V2_6 | Era::V2_7 => json!({ "global": global.to_string(), "proxy": "{}" }),
        _ => json!({ "values": values }),
    };
    object("v1", "ConfigMap", "linkerd-config", json!({ "data": data }))
}

fn scheme_name(scheme: Scheme) -> (&'static str, Option<&'static str>) {
    match scheme {
        Scheme::Linkerd => ("linkerd.io/tls", None),
        Scheme::Kubernetes => ("kubernetes.io/tls", Some("kubernetes.io/tls")),
    }
}

fn secret(era: Era, scheme: Scheme, pair: &Pair) -> Value {
    let (certificate, key) = scheme.keys();
    let mut data = json!({ certificate: STANDARD.encode(pair.chain().to_pem()), key: REDACTED });
    if scheme == Scheme::Kubernetes {
        data["ca.crt"] = json!(STANDARD.encode(pair.bundle().to_pem()));
    }
    let mut tree = object("v1", "Secret", "linkerd-identity-issuer", json!({ "data": data }));
    if let (_, Some(kind)) = scheme_name(scheme) {
        tree["type"] = json!(kind);
    }
    if !matches!(era, Era::V2_12) {
        tree["metadata"]["annotations"] =
            json!({ "linkerd.io/identity-issuer-expiry": "2027-03-01T12:00:00Z" });
    }
    tree
}

fn deployment(era: Era, name: &str, pair: &Pair) -> Value {
    let pem = pair.bundle().to_pem();
    let anchors = if era.control_plane_by_reference() {
        json!({ "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "valueFrom": { "configMapKeyRef": {
            "name": "linkerd-identity-trust-roots", "key": "ca-bundle.crt" } } })
    } else {
        json!({ "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": pem })
    };
    let pod =
        json!({ "name": "_pod_ns", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } });
    let last = json!({ "name": "LINKERD2_PROXY_IDENTITY_SVC_ADDR", "value": "identity.$(_pod_ns)" });
    let proxy = json!({ "name": "linkerd-proxy", "image": "proxy:1", "env": [pod, anchors, last] });
    let component = name.trim_start_matches("linkerd-");
    let mut main =
        json!({ "name": component, "image": "controller:1", "args": ["identity", "-log-level=info"] });
    match era {
        Era::V2_9 if component == "identity" => {
            main["args"] = json!([
                "identity",
                format!("-identity-trust-anchors-pem={}", STANDARD.encode(&pem)),
                "-log-level=info",
            ]);
        }
        Era::V2_10 if component == "identity" => {
            main["env"] = json!([
                { "name": "LINKERD_DISABLED", "value": "" },
                { "name": "LINKERD2_IDENTITY_TRUST_ANCHORS", "value": STANDARD.encode(&pem) },
            ]);
        }
        _ => {}
    }
    let mut annotations = json!({ "linkerd.io/created-by": "linkerd/helm" });
    if era == Era::V2_12 {
        annotations["linkerd.io/trust-root-sha256"] =
            json!(l5d_rotate::pki::Fingerprint::digest(pem.as_bytes()).to_string());
    }
    let mut tree = workload("Deployment", "linkerd", name, annotations);
    tree["spec"]["template"]["spec"]["containers"] = json!([main, proxy]);
    tree
}

fn manifest(mut tree: Value) -> Manifest {
    if tree["kind"] == "Secret" {
        for key in ["key.pem", "tls.key"] {
            if let Some(key) = tree["data"].get_mut(key) {
                *key = json!(REDACTED);
            }
        }
    }
    Manifest { object: ObjectRef::of(&tree).unwrap(), origin: Origin::default(), owners: vec![], tree }
}

fn workload_of(tree: &Value) -> Workload {
    let object = ObjectRef::of(tree).unwrap();
    let control = object.namespace == "linkerd";
    let annotations = tree["spec"]["template"]["metadata"]["annotations"].as_object();
    let annotations = annotations.map(|map| {
        map.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
    });
    let (plane, injection) =
        if control { (Plane::Control, Injection::ControlPlane) } else { (Plane::Data, Injection::Webhook) };
    Workload {
        template: Some(Template { annotations }),
        replicas: Some(1),
        ..mesh::workload(object, plane, injection)
    }
}

fn trust(era: Era, manifests: &[Manifest]) -> Trust {
    let find = |name: &str| manifests.iter().find(|manifest| manifest.object.name == name);
    let config = find("linkerd-config").map(|config| {
        let data = &config.tree["data"];
        let text = data["global"].as_str().or(data["values"].as_str()).unwrap();
        let tree = l5d_rotate::document::parse(text, "linkerd-config").unwrap().remove(0).tree;
        let path = match era.config_home() {
            TrustHome::ConfigGlobal => "/identityContext/trustAnchorsPem",
            TrustHome::ConfigValuesGlobal => "/global/identityTrustAnchorsPEM",
            _ => "/identityTrustAnchorsPEM",
        };
        BundleText::read(tree.pointer(path).unwrap().as_str().unwrap())
    });
    let roots = find("linkerd-identity-trust-roots");
    let roots = roots.map(|roots| BundleText::read(roots.tree["data"]["ca-bundle.crt"].as_str().unwrap()));
    let published = roots.or_else(|| config.clone()).map_or(Known::Absent, |text| {
        Known::Is(Published { home: era.trust_home(), text, changed: ChangeTime::Unknown })
    });
    Trust { published, config: config.map_or(Known::Absent, Known::Is), identity: None }
}

fn issuer(scheme: Scheme, manifests: &[Manifest]) -> Known<Issuer> {
    let Some(secret) = manifests.iter().find(|manifest| manifest.object.kind == "Secret") else {
        return Known::Absent;
    };
    let text = |key: &str| {
        let bytes = STANDARD.decode(secret.tree["data"][key].as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let chain = IssuerChain::from_pem(&text(scheme.keys().0).unwrap())
        .map_err(|error| NoChain::Unreadable(error.to_string()));
    Known::Is(Issuer {
        from_secret: true,
        keys: secret.tree["data"].as_object().unwrap().keys().cloned().collect(),
        secret_type: secret.tree["type"].as_str().map(str::to_owned),
        chain,
        key: KeyState::Matches,
        ca: text("ca.crt").map(BundleText::read),
        changed: ChangeTime::Unknown,
    })
}
