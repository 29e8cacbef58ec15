//! How a Linkerd version stores its trust material.

use std::fmt;

use serde::Serialize;

use crate::linkerd;

/// An era: versions that keep anchors and issuer in the same places (facts: Linkerd's charts at each tag).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Era {
    /// 2.6: as 2.7, but the identity controller does not reload the issuer.
    #[serde(rename = "2.6")]
    V2_6,
    /// 2.7 and 2.8: `linkerd-config` key `global` (JSON).
    #[serde(rename = "2.7-2.8")]
    V2_7,
    /// 2.9: `linkerd-config` key `values`, under `global`; an argument of the identity controller.
    #[serde(rename = "2.9")]
    V2_9,
    /// 2.10: `linkerd-config` key `values`; an environment variable of the identity controller.
    #[serde(rename = "2.10")]
    V2_10,
    /// 2.11: ConfigMap `linkerd-identity-trust-roots`; nothing rolls the control plane.
    #[serde(rename = "2.11")]
    V2_11,
    /// 2.12 and all since: the same ConfigMap, and the annotation `linkerd.io/trust-root-sha256` on templates.
    #[serde(rename = "2.12+")]
    V2_12,
}

/// In which field of which object anchors stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum TrustHome {
    /// ConfigMap `linkerd-config`, `data.global`, JSON `identityContext.trustAnchorsPem` (2.6 to 2.8).
    ConfigGlobal,
    /// ConfigMap `linkerd-config`, `data.values`, YAML `global.identityTrustAnchorsPEM` (2.9).
    ConfigValuesGlobal,
    /// ConfigMap `linkerd-config`, `data.values`, YAML `identityTrustAnchorsPEM` (2.10; a copy from 2.11 on).
    ConfigValues,
    /// ConfigMap `linkerd-identity-trust-roots`, `data."ca-bundle.crt"` (2.11 and later).
    TrustRoots,
}

/// The issuer Secret's scheme: which keys the identity controller reads (`controller/cmd/identity/main.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Scheme {
    /// `crt.pem` and `key.pem`.
    #[serde(rename = "linkerd.io/tls")]
    Linkerd,
    /// `tls.crt` and `tls.key`, with `ca.crt` for the CLI.
    #[serde(rename = "kubernetes.io/tls")]
    Kubernetes,
}

impl Era {
    /// The field that the injector takes the bundle from.
    #[must_use]
    pub const fn trust_home(self) -> TrustHome {
        match self {
            Self::V2_6 | Self::V2_7 => TrustHome::ConfigGlobal,
            Self::V2_9 => TrustHome::ConfigValuesGlobal,
            Self::V2_10 => TrustHome::ConfigValues,
            Self::V2_11 | Self::V2_12 => TrustHome::TrustRoots,
        }
    }

    /// The field of `linkerd-config` that holds the bundle or its copy.
    #[must_use]
    pub const fn config_home(self) -> TrustHome {
        match self {
            Self::V2_11 | Self::V2_12 => TrustHome::ConfigValues,
            _ => self.trust_home(),
        }
    }

    /// Do control-plane proxies read the bundle from the ConfigMap when they start (else it is literal in their templates)?
    #[must_use]
    pub const fn control_plane_by_reference(self) -> bool {
        matches!(self, Self::V2_11 | Self::V2_12)
    }

    /// Does the identity controller load a changed issuer by itself (since 2.7)?
    #[must_use]
    pub const fn reloads_issuer(self) -> bool {
        !matches!(self, Self::V2_6)
    }

    /// Must the issuer's key be SEC1 (`EC PRIVATE KEY`)? PKCS#8 is read since 2.9.0.
    #[must_use]
    pub const fn needs_sec1_key(self) -> bool {
        matches!(self, Self::V2_6 | Self::V2_7)
    }
}

/// The chart that installs a control plane, and the names of its values for trust anchors and issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartNames {
    pub chart: &'static str,
    pub anchors: &'static str,
    pub issuer_certificate: &'static str,
    pub issuer_key: &'static str,
    /// What charts up to 2.11 require beside a new issuer.
    pub issuer_expiry: Option<&'static str>,
}

impl Era {
    /// The chart of this era and its values (`values.yaml` at each tag).
    #[must_use]
    pub const fn chart_names(self) -> ChartNames {
        match self {
            Self::V2_6 => ChartNames {
                chart: "linkerd2",
                anchors: "Identity.TrustAnchorsPEM",
                issuer_certificate: "Identity.Issuer.TLS.CrtPEM",
                issuer_key: "Identity.Issuer.TLS.KeyPEM",
                issuer_expiry: Some("Identity.Issuer.CrtExpiry"),
            },
            Self::V2_7 | Self::V2_9 => {
                ChartNames { anchors: "global.identityTrustAnchorsPEM", ..Self::V2_11.chart_names() }
            }
            Self::V2_10 | Self::V2_11 => ChartNames {
                chart: "linkerd2",
                issuer_expiry: Some("identity.issuer.crtExpiry"),
                ..Self::V2_12.chart_names()
            },
            Self::V2_12 => ChartNames {
                chart: "linkerd-control-plane",
                anchors: "identityTrustAnchorsPEM",
                issuer_certificate: "identity.issuer.tls.crtPEM",
                issuer_key: "identity.issuer.tls.keyPEM",
                issuer_expiry: None,
            },
        }
    }
}

impl TrustHome {
    /// The ConfigMap's name.
    #[must_use]
    pub const fn config_map(self) -> &'static str {
        match self {
            Self::TrustRoots => linkerd::TRUST_ROOTS,
            Self::ConfigGlobal | Self::ConfigValuesGlobal | Self::ConfigValues => linkerd::CONFIG,
        }
    }

    /// The field of the ConfigMap, and within it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::TrustRoots => "data.\"ca-bundle.crt\"",
            Self::ConfigGlobal => "data.global, identityContext.trustAnchorsPem",
            Self::ConfigValuesGlobal => "data.values, global.identityTrustAnchorsPEM",
            Self::ConfigValues => "data.values, identityTrustAnchorsPEM",
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2_6 => "2.6",
            Self::V2_7 => "2.7-2.8",
            Self::V2_9 => "2.9",
            Self::V2_10 => "2.10",
            Self::V2_11 => "2.11",
            Self::V2_12 => "2.12+",
        })
    }
}

impl Scheme {
    /// Both schemes.
    pub const ALL: [Self; 2] = [Self::Linkerd, Self::Kubernetes];

    /// The data keys under which a Secret of either scheme holds its private key.
    pub const PRIVATE_KEYS: [&str; 2] = [Self::Linkerd.keys().1, Self::Kubernetes.keys().1];

    /// The scheme of a name; the identity controller takes every name but its own for `kubernetes.io/tls`
    /// (`controller/cmd/identity/main.go`).
    #[must_use]
    pub fn of(name: &str) -> Self {
        if matches!(name, "" | "linkerd.io/tls") { Self::Linkerd } else { Self::Kubernetes }
    }

    /// The Secret's data keys for the certificate chain and the private key.
    #[must_use]
    pub const fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Linkerd => ("crt.pem", "key.pem"),
            Self::Kubernetes => ("tls.crt", "tls.key"),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linkerd => "linkerd.io/tls",
            Self::Kubernetes => "kubernetes.io/tls",
        })
    }
}
