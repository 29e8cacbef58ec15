//! Linkerd's own names and thresholds, each once.

use jiff::SignedDuration;

/// ConfigMap with the published trust anchors (2.11 and later).
pub const TRUST_ROOTS: &str = "linkerd-identity-trust-roots";
/// ConfigMap with Linkerd's settings, a copy of the anchors among them.
pub const CONFIG: &str = "linkerd-config";
/// Secret that `linkerd upgrade` renders from.
pub const CONFIG_OVERRIDES: &str = "linkerd-config-overrides";
/// Secret with the identity issuer's certificate and key.
pub const ISSUER_SECRET: &str = "linkerd-identity-issuer";

/// Deployment of the identity controller.
pub const IDENTITY: &str = "linkerd-identity";
/// Deployment that tells proxies where their peers are.
pub const DESTINATION: &str = "linkerd-destination";
/// Deployment of the proxy injector.
pub const PROXY_INJECTOR: &str = "linkerd-proxy-injector";

/// Container of the identity controller.
pub const IDENTITY_CONTAINER: &str = "identity";
/// Container of the proxy injector.
pub const INJECTOR_CONTAINER: &str = "proxy-injector";
/// Container of every proxy.
pub const PROXY_CONTAINER: &str = "linkerd-proxy";

/// Environment variable that gives a proxy its bundle; the last entry of that name counts.
pub const TRUST_ANCHORS_ENV: &str = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS";

/// Annotation on control-plane templates that follows the bundle (`charts/partials/templates/_metadata.tpl`, since 2.12).
pub const TRUST_ROOT_ANNOTATION: &str = "linkerd.io/trust-root-sha256";
/// kubectl's own restart annotation.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Our restart annotation for a change of the bundle.
pub const BUNDLE_ANNOTATION: &str = "l5d-rotate/trust-bundle";
/// Our restart annotation for a change of the issuer.
pub const ISSUER_ANNOTATION: &str = "l5d-rotate/issuer";
/// Our annotation beside an encrypted issuer: the certificates that were sealed, as PEM.
pub const CERTIFICATE_ANNOTATION: &str = "l5d-rotate/issuer-certificate";

/// `linkerd check` warns of what expires within it (`expirationWarningThresholdInDays` in `pkg/issuercerts`).
pub const EXPIRY_THRESHOLD: SignedDuration = SignedDuration::from_hours(60 * 24);
/// The same as a person types it.
pub const EXPIRY_THRESHOLD_TYPED: &str = "60d";
