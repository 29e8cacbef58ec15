//! What cert-manager and trust-manager make of a change, in words.

use crate::finding::{ChangeFact, IssuedAgain};
use crate::report::findings::{Explanation, Words, named};

pub(super) fn words(fact: &ChangeFact) -> Words {
    let (what, effect, todo) = match fact {
        ChangeFact::TrustBundleRemoved { bundle } => (
            format!(
                "The change leaves {bundle} without a source that is known to hold an anchor, or removes it."
            ),
            "With the Bundle goes the ConfigMap that it has made: the control plane cannot start without it.",
            "Keep the Bundle, and one source at least with an anchor that is in use.",
        ),
        ChangeFact::SourceUnreadable { defect } => (
            format!("A source of the Bundle holds PEM that cannot be read: {defect}."),
            "trust-manager refuses the whole Bundle for one block, and passes over another in silence.",
            "Write certificate blocks only; `kubectl l5d-rotate inspect FILE` checks them.",
        ),
        ChangeFact::SourceNotKnown { bundle } => (
            format!("What a source of {bundle} holds is not known."),
            "The anchors that proxies rely on may leave the trust bundle with it.",
            "Name a Secret that a Certificate makes, or put the anchor into the Bundle as `inLine`.",
        ),
        ChangeFact::IssuerNotRenewed { certificate } => (
            format!("After the change {certificate} does not make the issuer's Secret any more, or is gone."),
            "cert-manager does not renew the issuer any more: it expires, and the mesh with it.",
            "Put the Certificate back.",
        ),
        ChangeFact::IssuerSignsItself { certificate } => (
            format!("{certificate} is to be signed with its own key."),
            "No proxy holds such an issuer as an anchor.",
            "Name the Issuer that signs with the trust anchor.",
        ),
        ChangeFact::SignerGone { certificate, signer } => (
            format!("{signer}, which signs {certificate}, does not exist after the change."),
            "The issuer is not renewed any more: it expires, and the mesh with it.",
            "Create the Issuer first, or name one that exists.",
        ),
        ChangeFact::SignedByNewAnchor { certificate, because } => (
            format!("cert-manager makes the anchor of {certificate} anew: {}.", reason(because)),
            "The issuer is signed by it at its next renewal at the latest, and proxies that have not restarted reject that.",
            "Make a new anchor beside the old one instead: `kubectl l5d-rotate start`.",
        ),
        ChangeFact::SignerNotKnown { signer, secret } => (
            match secret {
                Some(secret) => {
                    format!("{signer} signs with Secret {secret}, and which anchor that holds is not known.")
                }
                None => format!("{signer} signs with something that is not in this cluster."),
            },
            "What it signs may be rejected by everybody.",
            "Let the input have the Certificate of that Secret, and its CertificateRequest.",
        ),
        ChangeFact::IssuedByAnchor { certificate, anchor } => (
            format!("cert-manager issues {certificate} anew, by the anchor {}.", named(anchor)),
            "That takes seconds; the present issuer stays until then.",
            "",
        ),
        _ => return Words::default(),
    };
    Words { what, effect: effect.to_owned(), todo: todo.to_owned(), ..Words::default() }
}

fn reason(because: &IssuedAgain) -> String {
    match because {
        IssuedAgain::New => "its Certificate is new".to_owned(),
        IssuedAgain::Renamed { from } => format!("its Secret was made by {from} so far"),
        IssuedAgain::Field { field } => format!("{field} changes"),
        IssuedAgain::Due => "its renewal is due at once".to_owned(),
    }
}

pub(in crate::report::findings) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "issued-by-anchor",
        means: "With the change cert-manager issues the identity issuer anew, signed by the anchor that is named.",
        matters: "Every proxy must hold that anchor by then.",
        act: "Nothing by itself: the pairs that it leads to are judged beside it.",
        example: "kubectl get certificate linkerd-identity-issuer -n linkerd -o yaml",
        source: "`internal/controller/certificates/policies` in cert-manager: IncorrectIssuer",
    },
    Explanation {
        code: "issuer-not-renewed",
        means: "The change removes the Certificate that makes the identity issuer, or has it write another Secret.",
        matters: "Its Secret stays, and nobody renews it: when it expires nothing is issued any more.",
        act: "Keep the Certificate, or replace the issuer in another way first.",
        example: "kubectl get certificate -n linkerd",
        source: "cert-manager leaves the Secret where a Certificate is deleted",
    },
    Explanation {
        code: "issuer-signs-itself",
        means: "The identity issuer would be signed by a self-signed Issuer.",
        matters: "Its certificate then has no anchor above it that any proxy holds.",
        act: "Let `spec.issuerRef` name the Issuer that signs with the trust anchor.",
        example: "kubectl get issuers,clusterissuers -A",
        source: "`pkg/controller/certificaterequests/selfsigned` in cert-manager",
    },
    Explanation {
        code: "signed-by-new-anchor",
        means: "The change makes cert-manager issue the trust anchor anew, with a new key as a rule.",
        matters: "Within a day the issuer is signed by it. Proxies hold the anchors that they started with, and reject it; and a Bundle \
            that names the Secret alone forgets the old anchor at once.",
        act: "Leave the anchor's Certificate as it is, but for renewBefore, labels and secretTemplate. A rotation brings a second one.",
        example: "kubectl l5d-rotate start --dir rotation",
        source: "cert-manager/cert-manager#2478, trust-manager#560; `RequestMatchesSpec` in cert-manager's `pkg/util/pki`",
    },
    Explanation {
        code: "signer-gone",
        means: "The Issuer that the issuer's Certificate names does not exist after the change.",
        matters: "The request for the next issuer waits for it, without an end.",
        act: "Create it first, or name one that exists.",
        example: "kubectl get clusterissuers",
        source: "`pkg/controller/certificaterequests/sync.go` in cert-manager: IssuerNotFound",
    },
    Explanation {
        code: "signer-not-known",
        means: "The input does not tell which certificate an Issuer's Secret holds.",
        matters: "Whether proxies accept what it signs cannot be told.",
        act: "Let the input have the Certificate that makes the Secret, and its latest CertificateRequest.",
        example: "kubectl get certificaterequests -n cert-manager",
        source: "`pkg/controller/certificaterequests/ca/ca.go` in cert-manager: the Secret is read at every signing",
    },
    Explanation {
        code: "source-not-known",
        means: "A source of the Bundle is a Secret or ConfigMap of which the input does not tell the certificates.",
        matters: "trust-manager publishes what it finds there, and nothing else.",
        act: "Name a Secret that a Certificate makes, or use `inLine`.",
        example: "kubectl get bundle linkerd-identity-trust-roots -o yaml",
        source: "`pkg/bundle/internal/source` in trust-manager",
    },
    Explanation {
        code: "source-unreadable",
        means: "PEM within the Bundle cannot be read as certificates.",
        matters: "trust-manager refuses the Bundle for a block that is no certificate, and passes over a truncated one without a word: \
            the anchor in it leaves the trust bundle.",
        act: "Write certificate blocks only, without indentation inside.",
        example: "kubectl l5d-rotate inspect anchor.pem",
        source: "`pkg/util/cert_pool.go` in trust-manager",
    },
    Explanation {
        code: "trust-bundle-removed",
        means: "The Bundle of the trust anchors goes, or nothing is left in it.",
        matters: "The ConfigMap that it has made is garbage-collected with it, and the control plane reads it at every start.",
        act: "Change its sources instead, one step at a time.",
        example: "kubectl get bundle linkerd-identity-trust-roots -o yaml",
        source: "trust-manager sets itself as the owner of the ConfigMap (`pkg/bundle/internal/target`)",
    },
];
