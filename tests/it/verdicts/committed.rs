//! Recorded answers of real components that need no private key, as `testdata/verdicts.json` has them.

use std::collections::BTreeMap;
use std::fs;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Given, Record, text};
use crate::support::manifests::real;

pub(super) const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/verdicts.json");

/// Records that are the same in all but time and version, as `testdata/verdicts.json` has them.
#[derive(Serialize, Deserialize)]
struct Group {
    id: String,
    scheme: String,
    /// Places in the list of texts.
    bundle: usize,
    issuer: usize,
    at: Timestamp,
    starts: Option<bool>,
    log: Option<String>,
    reload: Option<(Timestamp, bool)>,
    certifies: Option<bool>,
    /// Versions, each with the Go that it was built with.
    versions: Vec<(String, String)>,
}

/// What real components did together.
#[derive(Debug, Serialize, Deserialize)]
pub struct MeshRun {
    pub id: String,
    /// Who started with which bundle.
    pub held: BTreeMap<String, String>,
    pub issuer: String,
    pub at: Timestamp,
    /// Did what failed heal without a restart, where something did?
    pub healed: Option<bool>,
    /// New connections, at several moments: by client and server, how they went.
    pub matrices: Vec<BTreeMap<String, String>>,
}

/// The runs that the possible states are asked of.
const RUNS: [&str; 8] = [
    "cross-signed-full",
    "issuer-before-bundle",
    "bundle-and-issuer-at-once",
    "prune-before-issuer",
    "prune-before-leaves-end",
    "prune-proxies-of-control-plane-wait",
    "cross-certificate-ends",
    "staged-full",
];

#[derive(Serialize, Deserialize)]
pub(super) struct Committed {
    texts: Vec<String>,
    groups: Vec<Group>,
    /// Bundles and issuers of the runs, as `bundle NAME` and `issuer NAME`.
    mesh_texts: BTreeMap<String, String>,
    mesh_runs: Vec<MeshRun>,
}

/// The runs as `testdata/verdicts.json` has them, and the texts that they name.
pub fn mesh_runs() -> (Vec<MeshRun>, BTreeMap<String, String>) {
    let all = committed();
    (all.mesh_runs, all.mesh_texts)
}

/// The runs as `../shared/real/verdicts` has them.
fn recorded_runs() -> (Vec<MeshRun>, BTreeMap<String, String>) {
    let folder = real("recorded_runs").unwrap().join("verdicts");
    let all: Value = serde_json::from_str(&fs::read_to_string(folder.join("mesh.json")).unwrap()).unwrap();
    let map = |value: &Value| -> BTreeMap<String, String> {
        let texts = value.as_object().unwrap().iter();
        texts.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
    };
    let run = |run: &Value| {
        let time = if run["event"].is_null() { &run["started"] } else { &run["event"]["at"] };
        MeshRun {
            id: text(run, "id").unwrap().to_owned(),
            held: map(&run["held"]),
            issuer: text(run, "issuer").unwrap().to_owned(),
            at: time.as_str().unwrap().parse().unwrap(),
            healed: run["observed"]["healed_without_restart"].as_bool(),
            matrices: run["matrices"].as_array().unwrap().iter().map(|one| map(&one["result"])).collect(),
        }
    };
    let asked = |run: &&Value| RUNS.contains(&run["id"].as_str().unwrap());
    let runs: Vec<_> = all["experiments"].as_array().unwrap().iter().filter(asked).map(run).collect();
    let texts_of = |list: &str, one: &str| {
        all[list]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (format!("{one} {name}"), value["pem"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let texts = texts_of("bundles", "bundle").into_iter().chain(texts_of("issuers", "issuer")).collect();
    (runs, texts)
}

impl Committed {
    /// What of the records needs no private key.
    pub(super) fn of(records: &[Record]) -> Self {
        let (mesh_runs, mesh_texts) = recorded_runs();
        let mut all = Self { texts: Vec::new(), groups: Vec::new(), mesh_texts, mesh_runs };
        for record in records.iter().filter(|record| !record.needs_key()) {
            let Record { id, given, go, version, .. } = record;
            let [bundle, issuer] = [&given.bundle, &given.issuer].map(|text| {
                all.texts.iter().position(|known| known == text).unwrap_or_else(|| {
                    all.texts.push(text.clone());
                    all.texts.len() - 1
                })
            });
            let as_version = (version.clone(), go.clone());
            let said =
                |log: Option<&str>| log.map(|log| log.split("current time").next().unwrap().to_owned());
            let alike = all.groups.iter_mut().find(|group| {
                (&group.id, group.bundle, group.issuer, group.starts) == (id, bundle, issuer, record.starts)
                    && said(group.log.as_deref()) == said(record.log.as_deref())
            });
            match alike {
                Some(group) => group.versions.push(as_version),
                None => all.groups.push(Group {
                    id: id.clone(),
                    scheme: given.scheme.clone(),
                    bundle,
                    issuer,
                    at: record.at,
                    starts: record.starts,
                    log: record.log.clone(),
                    reload: record.reload,
                    certifies: record.certifies,
                    versions: vec![as_version],
                }),
            }
        }
        all
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let of = |group: &Group, (version, go): &(String, String)| Record {
            id: group.id.clone(),
            version: version.clone(),
            go: go.clone(),
            given: Given {
                scheme: group.scheme.clone(),
                bundle: self.texts[group.bundle].clone(),
                issuer: self.texts[group.issuer].clone(),
                key: None,
            },
            at: group.at,
            starts: group.starts,
            log: group.log.clone(),
            reload: group.reload,
            certifies: group.certifies,
        };
        self.groups.iter().flat_map(|group| group.versions.iter().map(move |one| of(group, one))).collect()
    }
}

pub(super) fn committed() -> Committed {
    serde_json::from_str(&fs::read_to_string(COMMITTED).unwrap()).unwrap()
}
