//! Where to make a change instead, when somebody renders an object again and would revert a patch of it.

use jiff::fmt::temporal::DateTimePrinter;

use super::Annotation;
use super::view::View;
use crate::mesh::{Era, Owner, Scheme};
use crate::pki::{Bundle, IssuerChain};
use crate::rotation::{ISSUER_KEY_FILE, TRUST_BUNDLE_FILE};

/// What is changed in an object.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// The published bundle or a copy of it.
    Bundle(&'a Bundle),
    /// The issuer Secret or a copy of its certificate.
    Issuer(&'a IssuerChain),
    /// A restart annotation on a pod template.
    Restart(&'a Annotation),
}

/// The owners whose word counts, strongest first. What comes after one that applies manifests from Git says only with what
/// those manifests were made; but Argo CD may render a chart itself, and then it has no release.
pub(in crate::rotation) fn deciding(owners: Vec<Owner>) -> Vec<Owner> {
    let Some(place) = owners
        .iter()
        .position(|owner| matches!(owner, Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }))
    else {
        return owners;
    };
    let by_argo = matches!(owners[place], Owner::ArgoCd { .. });
    let chart = by_argo && owners[place..].iter().any(|owner| matches!(owner, Owner::Helm { .. }));
    let chart = chart.then(|| Owner::Helm { release: String::new(), namespace: String::new() });
    owners.into_iter().take(place).chain(chart).collect()
}

/// Where the change belongs; `None` where a patch stays, as with those that apply what is in Git.
pub(super) fn instead(view: &View<'_>, owner: &Owner, subject: Subject<'_>) -> Option<String> {
    place(view, owner, subject).map(|place| place + beside_files(view, subject))
}

/// What is said where anchors are published that no file of the rotation holds: what is made of its files alone would drop them.
fn beside_files(view: &View<'_>, subject: Subject<'_>) -> &'static str {
    match subject {
        Subject::Bundle(bundle) if !view.record.points().any(|(known, _)| known.same_set(bundle)) => {
            " (that file lacks anchors that are published beside those of this rotation, and must not drop them: take the \
             rendered text instead of it)"
        }
        _ => "",
    }
}

fn place(view: &View<'_>, owner: &Owner, subject: Subject<'_>) -> Option<String> {
    match (owner, subject) {
        (Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }, _) => None,
        (Owner::Helm { release, namespace }, Subject::Bundle(_) | Subject::Issuer(_)) => {
            Some(helm(view, release, namespace, subject))
        }
        (Owner::FluxHelmRelease { name, namespace }, Subject::Bundle(_) | Subject::Issuer(_)) => {
            Some(flux(view, name, namespace, subject))
        }
        (Owner::FluxHelmRelease { name, namespace }, Subject::Restart(annotation)) => Some(format!(
            "set the chart's pod annotations (often `podAnnotations`) to `{}: {}` in spec.values of HelmRelease \
             {namespace}/{name}, or put the patch into its spec.postRenderers[].kustomize.patches",
            annotation.key, annotation.value
        )),
        // Helm and `linkerd upgrade | kubectl apply` merge three ways: an annotation that they do not know stays.
        (Owner::Helm { release, .. }, Subject::Restart(annotation)) => release.is_empty().then(|| {
            format!(
                "if a chart is rendered on the way, set its pod annotations (often `podAnnotations`) to `{}: {}`; if the \
                 rendered manifests are in Git, commit the patch beside them",
                annotation.key, annotation.value
            )
        }),
        (Owner::LinkerdCli, Subject::Restart(_)) => None,
        (Owner::LinkerdCli, _) => Some(linkerd_upgrade(view, subject)),
        (Owner::CertManager { certificate }, _) => Some(format!(
            "cert-manager writes it from Certificate {certificate}: change the CA of the Issuer or ClusterIssuer that it names \
             (spec.issuerRef), as \"Automatically rotating control plane TLS credentials\" tells"
        )),
        (Owner::TrustManager { bundle }, Subject::Bundle(anchors)) => {
            Some(trust_manager(bundle, view.record.bundle_file(anchors)))
        }
        (Owner::TrustManager { .. }, _) => None,
        (Owner::ExternalSecrets { name }, _) => Some(format!(
            "ExternalSecret {name} fetches it: put {} into the entries of the vault that its spec.data[].remoteRef name",
            files(view, subject)
        )),
        (Owner::SealedSecrets { name }, _) => Some(format!(
            "seal it again: replace spec.encryptedData of SealedSecret {name} with what `kubeseal` makes of the rendered Secret"
        )),
    }
}

/// The value names of the chart, which moved with the eras: anchors, issuer certificate, issuer key.
const fn values(era: Era) -> [&'static str; 3] {
    match era {
        Era::V2_6 => ["Identity.TrustAnchorsPEM", "Identity.Issuer.TLS.CrtPEM", "Identity.Issuer.TLS.KeyPEM"],
        Era::V2_7 | Era::V2_9 => {
            ["global.identityTrustAnchorsPEM", "identity.issuer.tls.crtPEM", "identity.issuer.tls.keyPEM"]
        }
        Era::V2_10 | Era::V2_11 | Era::V2_12 => {
            ["identityTrustAnchorsPEM", "identity.issuer.tls.crtPEM", "identity.issuer.tls.keyPEM"]
        }
    }
}

/// The value that charts up to 2.11 require beside a new issuer; the name of the chart.
const fn chart(era: Era) -> (Option<&'static str>, &'static str) {
    match era {
        Era::V2_6 => (Some("Identity.Issuer.CrtExpiry"), "linkerd2"),
        Era::V2_7 | Era::V2_9 | Era::V2_10 | Era::V2_11 => (Some("identity.issuer.crtExpiry"), "linkerd2"),
        Era::V2_12 => (None, "linkerd-control-plane"),
    }
}

/// The file with the private key of the issuer that a step puts in place; of the old one only its keeper knows where it is.
fn key_file(view: &View<'_>, chain: &IssuerChain) -> &'static str {
    match chain.issuer == view.record.issuer.issuer {
        true => ISSUER_KEY_FILE,
        false => "OLD-ISSUER-KEY",
    }
}

fn files(view: &View<'_>, subject: Subject<'_>) -> String {
    let (certificate, key) = view.mesh.control_plane.scheme.keys();
    match subject {
        Subject::Bundle(anchors) => view.record.bundle_file(anchors).to_owned(),
        Subject::Issuer(chain) => {
            format!(
                "{} ({certificate}) and {} ({key})",
                view.record.issuer_file(chain),
                key_file(view, chain)
            )
        }
        Subject::Restart(annotation) => format!("`{}: {}`", annotation.key, annotation.value),
    }
}

/// Each value with the file that it shall hold.
fn value_files(view: &View<'_>, subject: Subject<'_>) -> Vec<(&'static str, &'static str)> {
    let [anchors, certificate, key] = values(view.mesh.control_plane.era);
    match subject {
        Subject::Bundle(bundle) => vec![(anchors, view.record.bundle_file(bundle))],
        Subject::Issuer(chain) if view.mesh.control_plane.scheme == Scheme::Linkerd => {
            vec![(certificate, view.record.issuer_file(chain)), (key, key_file(view, chain))]
        }
        Subject::Issuer(_) | Subject::Restart(_) => Vec::new(),
    }
}

/// The issuer's end as the value that charts up to 2.11 want beside it.
fn expiry(view: &View<'_>, subject: Subject<'_>) -> Option<(&'static str, String)> {
    let (value, _) = chart(view.mesh.control_plane.era);
    let chain = match subject {
        Subject::Issuer(chain) if view.mesh.control_plane.scheme == Scheme::Linkerd => chain,
        _ => return None,
    };
    let end = DateTimePrinter::new().precision(Some(0));
    value.map(|value| (value, end.timestamp_to_string(&chain.issuer.facts().not_after)))
}

fn helm(view: &View<'_>, release: &str, namespace: &str, subject: Subject<'_>) -> String {
    let (_, chart) = chart(view.mesh.control_plane.era);
    let files = value_files(view, subject);
    let expiry = expiry(view, subject);
    if release.is_empty() {
        let set = files.iter().map(|(value, file)| format!("`{value}` to the content of {file}"));
        let set: Vec<_> = set.chain(expiry.map(|(value, end)| format!("`{value}` to {end}"))).collect();
        return format!(
            "if the chart is rendered on the way (Argo CD, `helm template`), set {} in its values; if the rendered manifests \
             are in Git, commit the patch beside them",
            set.join(" and ")
        );
    }
    let set: String = files.iter().map(|(value, file)| format!(" --set-file {value}=DIR/{file}")).collect();
    let expiry = expiry.map_or_else(String::new, |(value, end)| format!(" --set {value}={end}"));
    format!(
        "`helm upgrade {release} linkerd/{chart} -n {namespace} --version INSTALLED --reuse-values{set}{expiry}`, or the same \
         values in the file that the release is installed with"
    )
}

fn flux(view: &View<'_>, name: &str, namespace: &str, subject: Subject<'_>) -> String {
    let files = value_files(view, subject);
    let set = files.iter().map(|(value, file)| format!("spec.values.{value} to the content of {file}"));
    let expiry = expiry(view, subject).map(|(value, end)| format!("spec.values.{value} to {end}"));
    let set: Vec<_> = set.chain(expiry).collect();
    format!(
        "set {} in HelmRelease {namespace}/{name}; where spec.valuesFrom takes it from a ConfigMap or Secret, change that, and \
         label it `reconcile.fluxcd.io/watch: Enabled` so that Flux upgrades at once",
        set.join(" and ")
    )
}

fn linkerd_upgrade(view: &View<'_>, subject: Subject<'_>) -> String {
    let flags = match subject {
        Subject::Bundle(anchors) => {
            format!("--identity-trust-anchors-file=DIR/{}", view.record.bundle_file(anchors))
        }
        Subject::Issuer(chain) => format!(
            "--identity-issuer-certificate-file=DIR/{} --identity-issuer-key-file=DIR/{}",
            view.record.issuer_file(chain),
            key_file(view, chain)
        ),
        Subject::Restart(_) => String::new(),
    };
    let overrides = match view.mesh.control_plane.era {
        Era::V2_6 | Era::V2_7 => "",
        _ => {
            "; it renders from the Secret linkerd-config-overrides, which a patch of this object leaves as it was"
        }
    };
    let chain = match subject {
        Subject::Issuer(chain) if !chain.intermediates.is_empty() => {
            " (it keeps the first certificate of the file only: the intermediates would be lost)"
        }
        _ => "",
    };
    format!(
        "`linkerd upgrade {flags} | kubectl apply -f -`{overrides}{chain}; where the manifests it rendered are in Git, commit \
         the patch beside them and give the next `linkerd upgrade` these flags"
    )
}

fn trust_manager(bundle: &str, file: &str) -> String {
    let what = match file {
        TRUST_BUNDLE_FILE => format!("add the certificates of {file} as an `inLine` source"),
        _ => format!("leave {file} as the only source, as `inLine`"),
    };
    format!("trust-manager writes it from Bundle {bundle}: {what} under spec.sources")
}
