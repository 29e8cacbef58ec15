//! What checks find, in words.

pub(super) mod bundle;
mod cert_manager;
mod certificates;
pub(super) mod explained;
pub(super) mod proxies;
mod trust_manager;

use proxies::Unread;

use super::{Words, listed};
use crate::document::ObjectRef;
use crate::finding::{CheckFact, WorkloadPods};
use crate::report::Screen;
use crate::report::words::count;

pub(super) fn words(fact: &CheckFact, screen: &Screen) -> Words {
    use CheckFact as F;
    match fact {
        F::TrustBundleMissing { object } => bundle::missing(object),
        F::TrustBundleMisread { object, defects } => bundle::misread(object, defects),
        F::TrustBundleUntidy { object, defects } => bundle::untidy(object, defects),
        F::PrivateKeyPublished { object, lines } => bundle::private_key(object, lines),
        F::TrustBundleTooLarge { object, bytes, most } => bundle::too_large(object, *bytes, *most),
        F::PrivateKeysInFiles { keys } => bundle::keys_in_files(keys),
        F::LinkerdConfigMissing { config } => bundle::config_missing(config),
        F::ConfigCopyRefusesIssuer { config, difference } => bundle::copy_refuses_issuer(config, difference),
        F::ConfigCopyDiffers { config, difference } => bundle::copy_differs(config, difference),
        F::ConfigCopyOutdated { config } => bundle::copy_outdated(config),
        F::IdentityCopyDiffers { deployment, difference } => {
            bundle::identity_copy_differs(deployment, difference)
        }
        F::IdentityCopyUnreadable { deployment, defect } => {
            bundle::identity_copy_unreadable(deployment, defect)
        }
        F::IssuerCaMissing { secret } => bundle::ca_missing(secret),
        F::IssuerCaUnreadable { secret, defect } => bundle::ca_unreadable(secret, defect),
        F::IssuerCaDiffers { secret, refusal } => bundle::ca_differs(secret, refusal, screen),
        F::IssuerCaNotInConfig { secret, config } => bundle::ca_not_in_config(secret, config),
        F::CheckedAnchorsUnreadable { object, defect } => bundle::checked_unreadable(object, defect),
        F::CheckedAnchorsRefuseIssuer { object, refusal } => bundle::checked_refuse(object, refusal, screen),
        F::CheckedAnchorsEmpty { object } => bundle::checked_empty(object),
        F::TrustAnchorAlgorithm { anchors } => certificates::anchor_algorithm(anchors),
        F::TrustAnchorNotYetValid { anchors } => certificates::anchor_not_yet_valid(anchors, screen),
        F::TrustAnchorExpired { anchors } => certificates::anchor_expired(anchors, screen),
        F::TrustAnchorExpiring { anchors } => certificates::anchor_expiring(anchors, screen),
        F::ExpiredAnchorLeft { anchors } => certificates::expired_anchor_left(anchors, screen),
        F::IssuerSecretMissing { secret } => certificates::secret_missing(secret),
        F::IssuerSecretKeys { secret, scheme, missing, found } => {
            certificates::secret_keys(secret, *scheme, missing, found)
        }
        F::IssuerKeyMissing { secret, scheme } => certificates::key_missing(secret, *scheme),
        F::IssuerKeyMismatch { secret } => certificates::key_mismatch(secret),
        F::IssuerKeyUnreadable { secret, said } => certificates::key_unreadable(secret, said),
        F::IssuerAlgorithm { issuer, fault } => certificates::issuer_algorithm(issuer, fault),
        F::IssuerMayNotSign { issuer, lacks } => certificates::may_not_sign(issuer, *lacks),
        F::IssuerNotYetValid { certificate } => certificates::issuer_not_yet_valid(certificate, screen),
        F::IssuerExpired { certificate, part } => certificates::issuer_expired(certificate, *part, screen),
        F::IssuerExpiring { certificate, part } => certificates::issuer_expiring(certificate, *part, screen),
        F::IssuerTooShort { certificate, left, lifetime } => {
            certificates::issuer_too_short(certificate, *left, *lifetime)
        }
        F::IssuerOutlivesAnchor { issuer, anchor } => certificates::outlives_anchor(issuer, anchor, screen),
        F::IssuerIsAnchor { issuer, secret } => certificates::issuer_is_anchor(issuer, secret),
        F::IssuerCopyChecked { secret, config, found } => {
            certificates::copy_checked(secret, config, found.as_deref(), screen)
        }
        F::ControlPlaneNotRestarted { object, changed, containers } => {
            Unread { object, changed, containers, screen }.not_restarted()
        }
        F::RestartUnproven { object, changed, containers } => {
            Unread { object, changed, containers, screen }.restart_unproven()
        }
        F::IssuerNotLoaded { object, changed, containers } => {
            Unread { object, changed, containers, screen }.issuer_not_loaded()
        }
        F::IssuerReloadUnproven { object, changed, containers } => {
            Unread { object, changed, containers, screen }.reload_unproven()
        }
        F::ProxiesRefuseIssuer { refusals } => proxies::refuse_issuer(refusals, screen),
        F::ProxyBundleUnreadable { bundles } => proxies::bundle_unreadable(bundles),
        F::ProxiesWithoutAnchors { pods } => proxies::without_anchors(pods),
        F::ProxiesOutdated { pods } => proxies::outdated(pods),
        F::PodsNotMeshed { workloads } => proxies::not_meshed(workloads),
        F::ManualInjection { workloads } => proxies::manual_injection(workloads),
        F::CertManagerRenewsAnchor { renewals } => cert_manager::renews_anchor(renewals, screen),
        F::CertManagerRotationPolicy { certificates } => cert_manager::rotation_policy(certificates),
        F::CertManagerRenewsLate { certificates, lifetime } => {
            cert_manager::renews_late(certificates, *lifetime)
        }
        F::CertManagerOverdue { certificates } => cert_manager::overdue(certificates, screen),
        F::CertManagerRequestDenied { requests } => cert_manager::denied(requests, screen),
        F::CertManagerRequestFailed { requests } => cert_manager::failed(requests, screen),
        F::CertManagerRequestWaits { requests } => cert_manager::waits(requests, screen),
        F::CertManagerNextIssuerRefused { certificate, anchor, made_by, due, is_published, refusals } => {
            let next = cert_manager::NextIssuer { certificate, anchor, made_by, due: *due };
            next.refused(*is_published, refusals, screen)
        }
        F::BundleFilters { bundle, filter, dropped } => trust_manager::filters(bundle, filter, dropped),
        F::BundleLacksSources { bundle, lacked } => trust_manager::lacks(bundle, lacked),
        F::BundleForgetsAnchor { bundle, certificates } => trust_manager::forgets(bundle, certificates),
    }
}

/// Workloads, each with the number of its pods.
fn counted(workloads: &[WorkloadPods], one: &str, many: &str) -> Vec<String> {
    let line = |pods: &WorkloadPods| {
        let counted = format!("{}: {}", pods.workload, count(pods.count, one, many));
        if pods.sample.is_empty() { counted } else { format!("{counted} ({})", listed(&pods.sample)) }
    };
    workloads.iter().map(line).collect()
}

/// The workloads alone.
fn objects(workloads: &[WorkloadPods]) -> Vec<&ObjectRef> {
    workloads.iter().map(|pods| &pods.workload).collect()
}

/// All pods of these workloads.
fn total(workloads: &[WorkloadPods], one: &str, many: &str) -> String {
    count(workloads.iter().map(|pods| pods.count).sum(), one, many)
}
