//! What the checks are called, and what `linkerd check` itself prints where one of its own fails.

use jiff::Timestamp;

use crate::finding::{
    AnchorRef, CheckFact, Fact, Finding, InputFact, Pods, Rejection, Severity, TrustFact, UnsupportedAnchor,
};
use crate::linkerd::{CONFIG, ISSUER_SECRET};
use crate::mesh::Scheme;

/// The sentence that holds or does not; Linkerd's own are its own (`pkg/healthcheck/healthcheck.go`).
pub(super) fn description(check: &str) -> &'static str {
    match check {
        "l5d-identity-cert-config-valid" => "certificate config is valid",
        "l5d-identity-trustAnchors-use-supported-crypto" => {
            "trust anchors are using supported crypto algorithm"
        }
        "l5d-identity-trustAnchors-are-time-valid" => "trust anchors are within their validity period",
        "l5d-identity-trustAnchors-not-expiring-soon" => "trust anchors are valid for at least 60 days",
        "l5d-identity-issuer-cert-uses-supported-crypto" => "issuer cert is using supported crypto algorithm",
        "l5d-identity-issuer-cert-is-time-valid" => "issuer cert is within its validity period",
        "l5d-identity-issuer-cert-not-expiring-soon" => "issuer cert is valid for at least 60 days",
        "l5d-identity-issuer-cert-issued-by-trust-anchor" => "issuer cert is issued by the trust anchor",
        "l5d-identity-data-plane-proxies-certs-match-ca" => "data plane proxies certificate match CA",
        "trust-bundle-published" => "trust bundle is published",
        "trust-bundle-strict-pem" => "trust bundle is strict PEM",
        "trust-bundle-holds-no-key" => "trust bundle holds no private key",
        "trust-bundle-size" => "trust bundle fits into an environment variable",
        "trust-bundle-config-copy" => "linkerd-config holds the published trust anchors",
        "trust-bundle-identity-copy" => "identity controller is given the published trust anchors",
        "issuer-secret-ca" => "ca.crt beside the issuer holds the anchor that signed it",
        "anchor-in-use-valid" => "the issuer's trust anchor is valid",
        "anchor-in-use-not-expiring-soon" => "the issuer's trust anchor does not expire soon",
        "expired-anchor-left" => "trust bundle holds no expired anchor that nothing needs",
        "issuer-secret-keys" => "issuer Secret has the keys that the identity controller reads",
        "issuer-key-matches" => "issuer key belongs to the issuer",
        "issuer-is-ca" => "issuer may sign workload certificates",
        "issuer-accepted-by-bundle" => "identity controller starts with the published trust bundle",
        "issuer-not-expiring-soon" => "issuer does not expire soon",
        "issuer-outlives-workload-certificates" => "issuer is valid for longer than a workload certificate",
        "issuer-within-anchor" => "issuer does not outlive its trust anchor",
        "issuer-is-not-anchor" => "issuer is not itself a trust anchor",
        "control-plane-restarted" => "control plane started after the trust bundle last changed",
        "identity-loaded-issuer" => "identity controller started after the issuer last changed",
        "proxies-accept-issuer" => "running proxies accept the issuer",
        "proxies-hold-readable-bundles" => "running proxies hold bundles that can be read",
        "proxies-hold-anchors" => "running proxies are given trust anchors",
        "pods-are-meshed" => "pods that should have a proxy have one",
        "manual-injection" => "manually injected workloads keep up with the trust bundle",
        "external-workloads" => "external workloads keep up with the trust bundle",
        "linked-clusters" => "linked clusters keep up with the trust bundle",
        "cert-manager-anchor-renewal" => "cert-manager does not renew the trust anchor soon",
        "cert-manager-rotation-policy" => {
            "cert-manager Certificates of the trust anchor set a rotationPolicy"
        }
        "cert-manager-issuer-renewal" => {
            "cert-manager renews the issuer while it outlives a workload certificate"
        }
        "cert-manager-renewal-overdue" => "cert-manager renews on time",
        "cert-manager-request-denied" => "cert-manager's requests are not denied",
        "cert-manager-request-failed" => "cert-manager's requests do not fail",
        "cert-manager-request-waits" => "cert-manager's requests do not wait",
        "input-complete" => "everything that matters could be read",
        "private-keys-in-files" => "no private key stands in a tracked file in plain text",
        _ => "",
    }
}

/// What `linkerd check` prints where this check of its own fails; `None` for what it does not know.
pub(super) fn text(check: &str, finding: &Finding, at: Timestamp) -> Option<String> {
    if finding.severity == Severity::Unknown {
        return None;
    }
    let text = match check {
        "l5d-identity-cert-config-valid" => config(&finding.fact)?,
        "l5d-identity-trustAnchors-use-supported-crypto" => anchors_crypto(&finding.fact)?,
        "l5d-identity-trustAnchors-are-time-valid" => {
            listed("Invalid anchors", anchors(&finding.fact)?.iter().map(|anchor| invalid(anchor, at)))
        }
        "l5d-identity-trustAnchors-not-expiring-soon" => {
            listed("Anchors expiring soon", anchors(&finding.fact)?.iter().map(expiring))
        }
        "l5d-identity-issuer-cert-uses-supported-crypto"
        | "l5d-identity-issuer-cert-is-time-valid"
        | "l5d-identity-issuer-cert-not-expiring-soon" => issuer(check, &finding.fact)?,
        "l5d-identity-issuer-cert-issued-by-trust-anchor" => issued(&finding.fact)?,
        "l5d-identity-data-plane-proxies-certs-match-ca" => outdated(&finding.fact)?,
        _ => return None,
    };
    Some(text)
}

/// `head`, then each item on a line of its own behind a tab and a star.
fn listed(head: &str, items: impl Iterator<Item = String>) -> String {
    items.fold(format!("{head}:"), |text, item| text + "\n\t* " + &item)
}

fn config(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Input(InputFact::IssuerUnreadable { said, .. }) => {
            format!("could not parse issuer certificate: {said}")
        }
        Fact::Check(CheckFact::IssuerSecretMissing { .. }) => {
            format!("secrets \"{ISSUER_SECRET}\" not found")
        }
        Fact::Check(CheckFact::LinkerdConfigMissing { .. }) => format!("configmaps \"{CONFIG}\" not found"),
        Fact::Check(CheckFact::IssuerCaMissing { .. }) => needs("ca.crt", "trust anchors", true),
        Fact::Check(CheckFact::IssuerSecretKeys { scheme, missing, .. }) => {
            let (certificate, key) = scheme.keys();
            if missing.iter().any(|missing| missing == certificate) {
                needs(certificate, "issuer certificate", *scheme == Scheme::Kubernetes)
            } else {
                needs(key, "issuer key", true)
            }
        }
        Fact::Check(CheckFact::IssuerKeyMissing { scheme, .. }) => needs(scheme.keys().1, "issuer key", true),
        Fact::Check(CheckFact::IssuerKeyMismatch { .. }) => {
            "tls: Public and private key do not match".to_owned()
        }
        Fact::Check(CheckFact::IssuerKeyUnreadable { said, .. }) => said.clone(),
        Fact::Check(CheckFact::IssuerCaNotInConfig { .. }) => {
            format!("IdentityContext.TrustAnchorsPem does not match ca.crt in {ISSUER_SECRET}")
        }
        Fact::Check(CheckFact::CheckedAnchorsUnreadable { defect, .. }) => {
            format!("not a PEM certificate: {defect}")
        }
        _ => return None,
    })
}

/// With `linkerd.io/tls` Linkerd says `true` for the private key, too.
fn needs(key: &str, what: &str, external: bool) -> String {
    format!(
        "key {key} containing the {what} needs to exist in secret {ISSUER_SECRET} if \
         --identity-external-issuer={external}"
    )
}

fn anchors_crypto(fact: &Fact) -> Option<String> {
    let Fact::Check(CheckFact::TrustAnchorAlgorithm { anchors }) = fact else { return None };
    let line = |one: &UnsupportedAnchor| format!("{} {}", name(&one.anchor), one.fault);
    Some(listed("Invalid trustAnchors", anchors.iter().map(line)))
}

fn anchors(fact: &Fact) -> Option<&[AnchorRef]> {
    match fact {
        Fact::Check(
            CheckFact::TrustAnchorNotYetValid { anchors }
            | CheckFact::TrustAnchorExpired { anchors }
            | CheckFact::TrustAnchorExpiring { anchors }
            | CheckFact::ExpiredAnchorLeft { anchors },
        ) => Some(anchors),
        _ => None,
    }
}

fn name(anchor: &AnchorRef) -> String {
    format!("{} {}", anchor.serial, anchor.common_name.as_deref().unwrap_or_default())
}

fn invalid(anchor: &AnchorRef, at: Timestamp) -> String {
    let certificate = &anchor.certificate;
    if at < certificate.not_before {
        return format!("{} not valid before: {}", name(anchor), certificate.not_before);
    }
    format!("{} not valid anymore. Expired on {}", name(anchor), certificate.not_after)
}

fn expiring(anchor: &AnchorRef) -> String {
    format!("{} will expire on {}", name(anchor), anchor.certificate.not_after)
}

fn issuer(check: &str, fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Check(CheckFact::IssuerAlgorithm { fault, .. }) => format!("issuer certificate {fault}"),
        Fact::Check(CheckFact::IssuerNotYetValid { certificate }) => {
            format!("issuer certificate is not valid before: {}", certificate.not_before)
        }
        Fact::Check(CheckFact::IssuerExpired { certificate, .. })
            if check == "l5d-identity-issuer-cert-is-time-valid" =>
        {
            format!("issuer certificate is not valid anymore. Expired on {}", certificate.not_after)
        }
        Fact::Check(
            CheckFact::IssuerExpired { certificate, .. } | CheckFact::IssuerExpiring { certificate, .. },
        ) => format!("issuer certificate will expire on {}", certificate.not_after),
        _ => return None,
    })
}

fn issued(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Check(CheckFact::CheckedAnchorsEmpty { .. }) => {
            Some("x509: certificate signed by unknown authority".to_owned())
        }
        Fact::Check(CheckFact::CheckedAnchorsRefuseIssuer { refusal, .. })
        | Fact::Trust(TrustFact::IdentityFailsToStart(Rejection { refusal, .. })) => Some(refusal.go_text()),
        _ => None,
    }
}

fn outdated(fact: &Fact) -> Option<String> {
    let Fact::Check(CheckFact::ProxiesOutdated { pods: Pods { count, sample, .. } }) = fact else {
        return None;
    };
    let more = count.saturating_sub(sample.len() as u64);
    let more = (more > 0).then(|| format!("… and {more} more"));
    let head = "Some pods do not have the current trust bundle and must be restarted";
    Some(listed(head, sample.iter().cloned().chain(more)))
}
