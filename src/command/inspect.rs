//! `inspect`: certificates, bundles and secrets as people read them.

use std::path::Path;

use super::Failure;
use crate::cli;
use crate::document::{self, DocumentError, ObjectRef};
use crate::mesh::{BundleId, Held, Mesh, ProxyGroup};
use crate::printable::escaped;
use crate::report::{Inspected, Response, Screen, count, inspected, shell_word};

/// Reads the files named, or the mesh, and shows every certificate in them.
pub(super) fn run(args: &cli::Inspect, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let found = if args.files.is_empty() {
        of_mesh(&super::reading::mesh(input, false)?)
    } else {
        let mut found = Vec::new();
        for path in &args.files {
            found.extend(of_file(path)?);
        }
        found
    };
    Ok(Response::fine(inspected(found, args.output, screen)))
}

fn of_file(path: &Path) -> Result<Vec<Inspected>, Failure> {
    let text = super::reading::text(path)?;
    let name = escaped(&path.display().to_string()).into_owned();
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(vec![Inspected::read(&name, &text)]);
    }
    let mut documents = Vec::new();
    let parsed = document::parse_any(&text, &name, |document| {
        documents.push(document);
        Ok::<_, DocumentError>(())
    });
    if !documents.iter().any(|document| document.tree.is_object() || document.tree.is_array()) {
        // Neither a manifest nor values: PEM blocks, if anything, with other text around them.
        return match parsed {
            Err(error) if text.contains("apiVersion") => Err(error.into()),
            _ => Ok(vec![Inspected::read(&name, &text)]),
        };
    }
    parsed?;
    let mut found = Vec::new();
    for document in &documents {
        let object = ObjectRef::of(&document.tree)
            .map_or_else(|| document.origin.to_string(), |object| object.to_string());
        for (field, text) in document::pem_texts(&document.tree) {
            found.push(Inspected::read(&format!("{object} {}", escaped(&field)), &text));
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(if documents.iter().any(|document| document.tree.get("sops").is_some()) {
        Failure::new(
            format!("{name}: encrypted with SOPS"),
            format!("decrypt it on the way: sops -d {} | kubectl l5d-rotate inspect -", shell_word(&name)),
        )
    } else {
        Failure::new(
            format!("{name}: no certificate in it"),
            "give a PEM file, chart values, or a manifest of a Secret or ConfigMap that holds one",
        )
    })
}

fn of_mesh(mesh: &Mesh) -> Vec<Inspected> {
    let mut found = Vec::new();
    for manifest in &mesh.manifests {
        for (field, text) in document::pem_texts(&manifest.tree) {
            found.push(Inspected::read(&format!("{} {}", manifest.object, escaped(&field)), &text));
        }
    }
    for (id, bundle) in mesh.bundles.iter().enumerate() {
        let held = Held::Literal(BundleId(id));
        let holders: u64 =
            mesh.proxies.iter().filter(|group| group.held == held).map(ProxyGroup::count).sum();
        found.push(Inspected::read(
            &format!("bundle of {}", count(holders, "proxy", "proxies")),
            bundle.text(),
        ));
    }
    found
}
