//! Real identity controllers were started in many states, by many versions: the model is asked the same, and says the same.
//!
//! `testdata/verdicts.json` holds what needs no private key; every record, with keys, stands in `../shared/real/verdicts`.

mod committed;

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use l5d_rotate::check::{self, Options, Outcome};
use l5d_rotate::finding::{Fact, Finding, Severity, TrustFact};
use l5d_rotate::linkerd;
use l5d_rotate::mesh::{Mesh, MeshError, REDACTED, Scheme};
use l5d_rotate::pki::{BundleText, IssuerChain, KeyEncoding, PrivateKey, Refusal, Rules, accepts};
use l5d_rotate::verify::{self, Verdict};
use serde_json::{Value, json};

use committed::{COMMITTED, Committed, committed};
pub use committed::{MeshRun, mesh_runs};

use crate::runner;
use crate::support::manifests::{documents, list, mint, observe_all, real};

/// What an identity controller that starts is given.
#[derive(Debug, Clone)]
struct Given {
    scheme: String,
    bundle: String,
    issuer: String,
    key: Option<String>,
}

/// A recorded answer.
#[derive(Debug, Clone)]
struct Record {
    id: String,
    version: String,
    go: String,
    given: Given,
    at: Timestamp,
    /// Did it start?
    starts: Option<bool>,
    log: Option<String>,
    /// When a running controller saw this issuer, and whether it went over to it.
    reload: Option<(Timestamp, bool)>,
    certifies: Option<bool>,
}

impl Record {
    /// Does a private key decide, or stand in a text?
    fn needs_key(&self) -> bool {
        let texts = [&self.given.bundle, &self.given.issuer];
        let read_key =
            |log: &str| log.contains("read CA from disk") && !log.ends_with("not a PEM certificate");
        texts.iter().any(|text| text.contains("PRIVATE KEY")) || self.log.as_deref().is_some_and(read_key)
    }

    /// Was `linkerd-config` written as the Helm chart of 2.8 does, which leaves a carriage return as it is?
    fn by_helm(&self) -> bool {
        self.log.as_deref().is_some_and(|log| log.starts_with("Failed to load config"))
    }

    /// The mesh as the program reads it: the objects of that version.
    fn mesh(&self) -> Result<Mesh, MeshError> {
        let Given { scheme, bundle, issuer, key } = &self.given;
        let (certificate_key, private_key) = Scheme::of(scheme).keys();
        let key = key.as_ref().map_or(REDACTED.to_owned(), |key| STANDARD.encode(key));
        let object = |kind: &str, name: &str, rest: Value| {
            let mut object =
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "linkerd"}});
            object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            object
        };
        let secret = json!({"data": {certificate_key: STANDARD.encode(issuer), private_key: key}});
        let mut arguments = vec![format!("-identity-scheme={scheme}")];
        let mut variables = Value::Null;
        let version = self.version.split_once('-').unwrap().1;
        let minor: u8 = version.split('.').nth(1).unwrap().parse().unwrap();
        let values = json!({"identityTrustAnchorsPEM": bundle, "linkerdVersion": self.version, "identityTrustDomain": "cluster.local"});
        let (config, roots) = match minor {
            0..=8 => {
                let context =
                    json!({"scheme": scheme, "trustDomain": "cluster.local", "trustAnchorsPem": bundle});
                let mut global = json!({"version": self.version, "identityContext": context}).to_string();
                if self.by_helm() {
                    global = global.replace("\\r", "\r");
                }
                (json!({"global": global}), None)
            }
            9 => {
                arguments.push(format!("-identity-trust-anchors-pem={}", STANDARD.encode(bundle)));
                (json!({"values": json!({"global": values}).to_string()}), None)
            }
            10 => {
                variables =
                    json!([{"name": "LINKERD2_IDENTITY_TRUST_ANCHORS", "value": STANDARD.encode(bundle)}]);
                (json!({"values": values.to_string()}), None)
            }
            _ => {
                let roots = json!({"data": {"ca-bundle.crt": bundle}});
                (
                    json!({"values": values.to_string()}),
                    Some(object("ConfigMap", linkerd::TRUST_ROOTS, roots)),
                )
            }
        };
        let containers = json!([{"name": "identity", "args": arguments, "env": variables}]);
        let mut deployment = object(
            "Deployment",
            linkerd::IDENTITY,
            json!({"spec": {"template": {"spec": {"containers": containers}}}}),
        );
        deployment["apiVersion"] = "apps/v1".into();
        deployment["metadata"]["labels"] = json!({"linkerd.io/control-plane-component": "identity"});
        let mut all = vec![
            object("ConfigMap", linkerd::CONFIG, json!({"data": config})),
            object("Secret", linkerd::ISSUER_SECRET, secret),
            deployment,
        ];
        all.extend(roots);
        observe_all(documents(&[&list(&all)]), true).finish(None)
    }

    /// The part of the message that Go's verification gave.
    fn go_text(&self) -> Option<&str> {
        let log = self.log.as_deref()?.strip_prefix("Failed to initialize identity service: ")?;
        let log = log.split(" - Current Time").next()?;
        Some(log.split_once("with trust anchors: ").map_or(log, |(_, verified)| verified))
    }
}

/// Would an identity controller that starts at `at` get on, and if not, in which words of Go's does it say so?
fn starts(mesh: &Mesh, at: Timestamp) -> Result<(), Option<String>> {
    let checks = check::run(mesh, Options { at, expiry_threshold: linkerd::EXPIRY_THRESHOLD });
    let error = |finding: &&Finding| finding.severity == Severity::Error;
    let row = checks.iter().find(|check| check.code == "issuer-accepted-by-bundle");
    match row.map(|row| &row.outcome) {
        Some(Outcome::Success) => Ok(()),
        Some(Outcome::Found(finding)) => {
            assert!(error(&&**finding), "{finding:?}");
            Err(match &finding.fact {
                Fact::Trust(TrustFact::IdentityFailsToStart(rejection)) => Some(rejection.refusal.go_text()),
                _ => None,
            })
        }
        // Where bundle or issuer cannot be read at all, another check says so.
        None => {
            let says = checks.iter().filter_map(check::Checked::finding).any(|finding| error(&finding));
            Err(if says { None } else { Some("nothing is said".to_owned()) })
        }
    }
}

/// Where the model's answer is not the recorded one.
fn differences(records: &[Record]) -> Vec<String> {
    let good: BTreeMap<&str, (&str, Mesh)> = records
        .iter()
        .filter(|record| record.id == "01-old-old" && record.starts == Some(true))
        .map(|record| (&*record.version, (&*record.given.bundle, record.mesh().unwrap())))
        .collect();
    let mut differ = Vec::new();
    for record in records {
        let mut say =
            |what: String| differ.push(format!("{} {} ({}): {what}", record.id, record.version, record.go));
        let mesh = match record.mesh() {
            Ok(mesh) => mesh,
            Err(error) => {
                if record.starts != Some(false) {
                    say(format!("not read: {error}"));
                }
                continue;
            }
        };
        if let Some(starts_really) = record.starts {
            let ours = starts(&mesh, record.at);
            if ours.is_ok() != starts_really {
                say(format!("start: {ours:?}, recorded {:?}", record.log));
            } else if let Err(Some(ours)) = ours
                && Some(&*ours) != record.go_text()
            {
                say(format!("words: {ours}, recorded {:?}", record.log));
            }
            if let Some((bundle, good)) = good.get(&*record.version) {
                // A certificate that is valid since a moment ago is not yet so for every clock.
                let at = record.at + SignedDuration::from_secs(if starts_really { 60 } else { 0 });
                let verdict = verify::verify(good, &mesh, None, at, Vec::new());
                let fails = |fact: &Fact| matches!(fact, Fact::Trust(TrustFact::IdentityFailsToStart(_)));
                let fails = verdict.findings.iter().any(|finding| fails(&finding.fact));
                // Where the bundle changes as well, nothing tells which is applied first.
                let alone = record.given.bundle == *bundle;
                if !starts_really && verdict.verdict != Verdict::Unsafe || starts_really && alone && fails {
                    say(format!("verify: {:?}, recorded {:?}", verdict.verdict, record.log));
                }
            }
        }
        if let Some((at, loads)) = record.reload
            && starts(&mesh, at).is_ok() != loads
        {
            say(format!("reload: {:?}, recorded {loads}", starts(&mesh, at)));
        }
        if let Some(certifies) = record.certifies {
            let (bundle, chain) =
                (mesh.trust.published.as_option().unwrap(), mesh.issuer.as_option().unwrap());
            let bundle = bundle.text.as_read_by(Rules::Controller).unwrap();
            let ours = accepts(
                bundle,
                chain.chain.as_ref().unwrap(),
                &mesh.identity_name(),
                record.at,
                Rules::Proxy,
            );
            if matches!(ours, Err(Refusal::IssuerKey { .. })) == certifies {
                say(format!("certify: {ours:?}, recorded {certifies}"));
            }
        }
    }
    differ
}

/// When a message says that it was.
fn said_at(log: &str) -> Option<Timestamp> {
    log.split_once("current time ")?.1.split(' ').next()?.parse().ok()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}

/// Every record that stands in `../shared/real/verdicts`.
fn recorded(test: &str) -> Option<Vec<Record>> {
    let folder = real(test)?.join("verdicts");
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let mut states: BTreeMap<String, Value> = BTreeMap::new();
    let mut records = Vec::new();
    for (name, rows) in ["identity-start.json", "identity-start-older.json"].map(|name| (name, read(name))) {
        for row in rows {
            let id = text(&row, "id").unwrap().to_owned();
            if name == "identity-start.json" {
                states.insert(id.clone(), row.clone());
            }
            let of = |key: &str| {
                let own = row.get(key).and_then(Value::as_str);
                own.or_else(|| states.get(&id)?.get(key)?.as_str()).map(str::to_owned)
            };
            let key = of("issuer_key").unwrap();
            let key = match text(&row, "key") {
                Some("sec1") if key.contains("BEGIN PRIVATE KEY") => {
                    PrivateKey::from_pem(&key).unwrap().to_pem(KeyEncoding::Sec1).unwrap().to_string()
                }
                _ => key,
            };
            let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
            let reload = row["reloads"].as_array().and_then(|all| all.first());
            records.push(Record {
                version: text(&row, "version").unwrap_or("version-2.20").to_owned(),
                go: text(&row, "go").unwrap_or("1.26.8").to_owned(),
                given: Given {
                    scheme: of("scheme").unwrap(),
                    bundle: of("bundle").unwrap(),
                    issuer: of("issuer_cert").unwrap(),
                    key: Some(key),
                },
                at: text(&row, "log").and_then(said_at).unwrap_or_else(|| at(&row["at"])),
                starts: text(&row, "outcome").map(|outcome| outcome == "starts"),
                log: text(&row, "log").map(str::to_owned),
                reload: reload.map(|one| (at(&one["at"]), one["verdict"] == "IssuerUpdated")),
                certifies: text(&row, "certify").map(|certify| certify == "ok"),
                id,
            });
        }
    }
    Some(records)
}

/// Records that Go 1.18 and older answered, which only the binary shows: the model gives the stricter answer of newer ones.
fn expected(difference: &str) -> bool {
    difference.starts_with("35-ss-renewed") && difference.contains("(1.18 (gccgo 12)): start")
}

#[test]
fn every_recorded_start_is_judged_as_it_went() {
    let Some(records) = recorded("every_recorded_start_is_judged_as_it_went") else { return };
    assert_eq!(records.len(), 913);
    let (expected, differ): (Vec<_>, Vec<_>) =
        differences(&records).into_iter().partition(|one| expected(one));
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), records.len(), differ.join("\n"));
    assert_eq!(expected.len(), 5);
}

#[test]
#[ignore = "writes testdata"]
fn recorded_verdicts_are_written() {
    if runner::writes_nothing("recorded_verdicts_are_written") {
        return;
    }
    let records = recorded("recorded_verdicts_are_written").unwrap();
    fs::write(COMMITTED, serde_json::to_string_pretty(&Committed::of(&records)).unwrap() + "\n").unwrap();
}

#[test]
fn recorded_starts_without_keys_are_judged_as_they_went() {
    assert!(!fs::read_to_string(COMMITTED).unwrap().contains("PRIVATE KEY"));
    let records = committed().records();
    let (expected, differ): (Vec<_>, Vec<_>) =
        differences(&records).into_iter().partition(|one| expected(one));
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), records.len(), differ.join("\n"));
    assert_eq!((records.len(), expected.len()), (755, 5));
}

#[test]
fn a_controller_does_not_start_with_a_key_that_it_cannot_use() {
    let pki = mint("root");
    let good = pki.key_pem();
    let pkcs8 = pki.issuer.key.to_pem(KeyEncoding::Pkcs8).unwrap().to_string();
    let parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{good}");
    let behind_a_certificate = pki.anchor_pem() + &good;
    let chain = pki.issuer_pem() + &pki.anchor_pem();
    let wrong_order = pki.anchor_pem() + &pki.issuer_pem();
    for (version, issuer, key, starts_with_it) in [
        ("stable-2.14.10", &chain, &good, true),
        ("stable-2.14.10", &chain, &pkcs8, true),
        ("stable-2.14.10", &chain, &parameters, false),
        ("stable-2.14.10", &chain, &behind_a_certificate, false),
        ("stable-2.14.10", &chain, &mint("root").key_pem(), false),
        ("stable-2.14.10", &wrong_order, &good, false),
        ("stable-2.9.0", &chain, &pkcs8, true),
        ("stable-2.8.1", &chain, &pkcs8, false),
        ("stable-2.8.1", &chain, &good, true),
    ] {
        let given = Given {
            scheme: "linkerd.io/tls".to_owned(),
            bundle: pki.anchor_pem(),
            issuer: issuer.clone(),
            key: Some(key.clone()),
        };
        let at = "2026-06-01T12:00:00Z".parse().unwrap();
        let (id, go) = (String::new(), String::new());
        let version = version.to_owned();
        let record =
            Record { id, version, go, given, at, starts: None, log: None, reload: None, certifies: None };
        let ours = starts(&record.mesh().unwrap(), at);
        assert_eq!(ours.is_ok(), starts_with_it, "{record:?}: {ours:?}");
    }
}

#[test]
fn where_the_version_does_not_tell_the_stricter_is_answered() {
    let records = committed().records();
    let asked = |id: &str, recorded: &str, version: Option<&str>| {
        let record = records.iter().find(|one| one.id == id && one.version == recorded).unwrap();
        let mut mesh = record.mesh().unwrap();
        mesh.control_plane.version = version.map(str::to_owned);
        starts(&mesh, record.at).is_ok()
    };
    for (version, starts) in [
        (Some("stable-2.9.1"), true),
        (Some("stable-2.9.0"), false),
        (Some("edge-20.11.2"), false),
        (None, false),
    ] {
        assert_eq!(asked("73-issuer-san-other", "stable-2.9.5", version), starts, "{version:?}");
    }
    for (version, starts) in [(Some("stable-2.10.0"), true), (Some("edge-21.4.5"), false), (None, false)] {
        assert_eq!(asked("27-issuer-notca", "stable-2.10.2", version), starts, "{version:?}");
    }
}

/// Two proxies connect where each accepts the other's workload certificate; one is certified where it accepts its own.
#[test]
fn meshes_that_were_started_as_they_are_connect_as_the_trust_relation_says() {
    let test = "meshes_that_were_started_as_they_are_connect_as_the_trust_relation_says";
    let Some(folder) = real(test) else { return };
    let text = fs::read_to_string(folder.join("verdicts/mesh.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let pem = |list: &str, name: &Value| all[list][name.as_str().unwrap()]["pem"].as_str().unwrap();
    let (mut asked, mut refused) = (0, 0);
    for run in all["experiments"].as_array().unwrap().iter().filter(|run| run["kind"] == "static") {
        let chain = IssuerChain::from_pem(pem("issuers", &run["issuer"])).unwrap();
        let started: Timestamp = run["started"].as_str().unwrap().parse().unwrap();
        let at = started + SignedDuration::from_secs(10);
        // A workload certificate expires with the first certificate of its issuer's file.
        let expired = chain.first_to_expire().is_expired_at(at);
        let accepts = |proxy: &str| {
            let held = BundleText::read(pem("bundles", &run["held"][proxy]));
            let name = format!("{proxy}.app.serviceaccount.identity.linkerd.cluster.local");
            let held = held.as_read_by(Rules::Proxy).unwrap();
            !expired && accepts(held, &chain, &name.as_str().into(), at, Rules::Proxy).is_ok()
        };
        for proxy in ["a", "b", "c"] {
            let certified = run["certified"].as_array().unwrap().iter().any(|one| one == proxy);
            // A proxy takes its own where it would accept it as a server's; that usage is all that this issuer has.
            assert_eq!(accepts(proxy) || run["issuer"] == "ekuserver", certified, "{} {proxy}", run["id"]);
        }
        for (pair, result) in run["matrix"].as_object().unwrap() {
            let (client, server) = pair.split_once("->").unwrap();
            let ours = accepts(client) && accepts(server);
            assert_eq!(ours, result == "ok", "{} {pair}: {result}", run["id"]);
            (asked, refused) = (asked + 1, refused + u32::from(!ours));
        }
    }
    assert_eq!((asked, refused), (72, 32));
}
