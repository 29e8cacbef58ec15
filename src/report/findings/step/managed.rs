//! What stands in the way of a step over cert-manager's objects, and what to know beside it, in words.

use super::super::{Explanation, Words, named};
use super::say;
use crate::finding::StepFact;
use crate::mesh::RequestOutcome;
use crate::report::Screen;
use crate::step::Direction;

pub(super) fn words(fact: &StepFact, screen: &Screen) -> Words {
    match fact {
        StepFact::AnchorAwaited { certificate, request } => {
            let what = format!("cert-manager has not issued {certificate} yet.");
            match request {
                Some(RequestOutcome::Denied(why)) => say(
                    what,
                    format!("Its CertificateRequest was denied: {why}."),
                    "Let its approver approve it.",
                ),
                Some(RequestOutcome::Failed(why)) => {
                    say(what, format!("Its CertificateRequest failed: {why}."), "Mend what it names.")
                }
                Some(RequestOutcome::Pending(why)) if !why.is_empty() => {
                    say(what, format!("Its CertificateRequest waits: {why}."), "")
                }
                _ => say(
                    what,
                    "",
                    "It takes seconds; `kubectl get certificaterequests -A` shows how far it is.",
                ),
            }
        }
        StepFact::SignerMissing { issuer } => say(
            format!("{issuer}, which is to sign the identity issuer, does not exist."),
            "cert-manager would wait for it until the present issuer expires.",
            "Bring it. One that the rotation makes is in step bundle/1-trust: merge that again.",
        ),
        StepFact::SignerOfAnother { issuer, secret } => say(
            format!("{issuer} does not sign with Secret {secret}."),
            "What it signs with is not the anchor that proxies were given.",
            "Put its `spec.ca.secretName` back.",
        ),
        StepFact::SignerNotShown { issuer, anchor } => say(
            format!("Nothing that is read tells that {issuer} signs below {}.", named(anchor)),
            "Proxies reject what an issuer of another anchor signs.",
            "Have it sign any Certificate, and compare: openssl verify -CAfile anchor.pem tls.crt.",
        ),
        StepFact::AnchorReissued { certificate, known, issued, is_kept } => say(
            format!(
                "cert-manager has issued {certificate} anew: {} in the place of {}.",
                named(issued),
                named(known)
            ),
            match is_kept {
                true => "Proxies were not given the new one, and would reject what it signs.".to_owned(),
                false => format!(
                    "{} has left the trust bundle with that: who starts now rejects what it signed, and the identity controller does \
                     not start with an issuer of it.",
                    known.fingerprint.short()
                ),
            },
            match is_kept {
                true => {
                    "Start a new rotation in another directory: it goes on from what is published.".to_owned()
                }
                false => format!(
                    "Restart nothing. Add the certificate {} to the sources of the Bundle as inLine PEM (the rotation's directory has \
                     it), then start a new rotation in another directory.",
                    known.fingerprint.short()
                ),
            },
        ),
        StepFact::AnchorNotShown { certificate } => say(
            format!("No CertificateRequest shows what {certificate} was issued last."),
            "Where it was renewed, its Secret holds another anchor than proxies were given.",
            "Compare `kubectl get configmap` of the trust bundle with the Secret's tls.crt.",
        ),
        StepFact::NewObjectsLeft { certificate, signer } => say(
            match signer {
                Some(signer) => {
                    format!("{certificate} and {signer} stay, and nothing needs them after this step.")
                }
                None => format!("{certificate} stays, and nothing needs it after this step."),
            },
            "",
            "Remove what stays in a commit of its own; the old anchor's renewBefore is yours to set again.",
        ),
        StepFact::OldKeyStays { secret, signer } => say(
            format!("{secret} stays in the cluster, with the private key of the old anchor."),
            match signer {
                Some(signer) => format!("See that no other Certificate names {signer}."),
                None => "See that no other Issuer signs with it.".to_owned(),
            },
            format!("Then delete it: kubectl delete secret {} -n {}.", secret.name, secret.namespace),
        ),
        StepFact::SignerShared { issuer, direction } => say(
            format!(
                "Whatever other Certificate names {issuer} is signed by the {} anchor, too, from its next renewal on.",
                match direction {
                    Direction::Forward => "new",
                    Direction::Rollback => "old",
                }
            ),
            "Whoever trusts the other anchor alone would reject it.",
            "kubectl get certificates -A shows them; give those an Issuer of their own first.",
        ),
        StepFact::IssuedAtRenewal { certificate, due } => say(
            format!("No CertificateRequest of {certificate} is in the input."),
            "Where there is none, cert-manager does not compare the duration: nothing is issued before the next renewal.",
            due.map_or_else(String::new, |due| format!("That is {}.", screen.when(due))),
        ),
        _ => Words::default(),
    }
}

pub(in crate::report::findings) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "anchor-awaited",
        means: "The Certificate of the new trust anchor exists, and cert-manager has not issued it yet.",
        matters: "Until then nobody knows the new anchor: the Bundle stays as it is, and no other step can be planned.",
        act: "Wait some seconds, then read again. A request that is denied or has failed names the reason.",
        example: "kubectl get certificaterequests -n cert-manager",
        source: "`pkg/controller/certificaterequests/sync.go` in cert-manager",
    },
    Explanation {
        code: "anchor-not-shown",
        means: "No CertificateRequest of the anchor's Certificate is in the input, so which certificate its Secret holds is not known.",
        matters: "Its Issuer signs with what that Secret holds. Where it was renewed meanwhile, proxies reject what it signs.",
        act: "Let the input have the CertificateRequests. Where they are gone, compare the Secret's tls.crt with the trust bundle, and \
            confirm it.",
        example: "kubectl l5d-rotate next --confirm renewal-suspended",
        source: "cert-manager keeps the latest CertificateRequest of a Certificate (`spec.revisionHistoryLimit`)",
    },
    Explanation {
        code: "anchor-reissued",
        means: "cert-manager has issued the anchor's Certificate once more since the rotation learned its anchor.",
        matters: "The new one has another key, as a rule. Proxies hold the earlier one, and reject what the new one signs.",
        act: "Where the earlier one has left the trust bundle, restart nothing, and add it to the Bundle's sources as inLine PEM first: \
            anchor.pem, or one of old-anchors.pem, in the rotation's directory. Then start a new rotation in another directory: it begins \
            with what is published.",
        example: "kubectl l5d-rotate start --dir rotation-2",
        source: "`internal/controller/certificates/policies` in cert-manager: what makes it issue again",
    },
    Explanation {
        code: "issued-at-renewal",
        means: "The step makes the duration of the issuer's Certificate longer by a second, and no CertificateRequest of it was seen.",
        matters: "cert-manager compares the duration with its latest request. Without one it issues nothing until the next renewal is due, \
            and the next steps wait for it.",
        act: "Let the input have the CertificateRequests. Where there is none, wait for the renewal.",
        example: "kubectl get certificaterequests -n linkerd",
        source: "`SecretCertificateDetailsMatchSpec` and `RequestMatchesSpec` in cert-manager",
    },
    Explanation {
        code: "signer-shared",
        means: "The step changes which Secret an Issuer or ClusterIssuer signs with. It does so for every Certificate that names it.",
        matters: "Certificates of others than Linkerd are signed by the other anchor from their next renewal on, and whoever trusts the \
            one before alone rejects them.",
        act: "See which Certificates name it. Give those that are not Linkerd's an Issuer of their own before the step.",
        example: "kubectl get certificates -A -o custom-columns=NAME:.metadata.name,ISSUER:.spec.issuerRef.name",
        source: "`pkg/controller/certificaterequests/ca/ca.go` in cert-manager: the Secret is read at every signing",
    },
    Explanation {
        code: "new-objects-left",
        means: "The rollback has taken the new anchor out of the Bundle. Its Certificate and its Issuer are still there.",
        matters: "Nothing trusts that anchor, and nothing is signed by it.",
        act: "Remove both in a commit of its own, and delete the Secret of the Certificate.",
        example: "kubectl get certificates,clusterissuers -A",
        source: "cert-manager leaves the Secret where a Certificate is deleted",
    },
    Explanation {
        code: "old-key-stays",
        means: "cert-manager leaves the Secret of a Certificate where the Certificate is deleted.",
        matters: "It holds the private key of the old anchor. Nothing trusts that any more, unless a backup brings it back.",
        act: "Delete the Secret once nothing else is signed with it.",
        example: "kubectl get certificates -A -o custom-columns=NAME:.metadata.name,ISSUER:.spec.issuerRef.name",
        source: "cert-manager: `--enable-certificate-owner-ref` is off by default",
    },
    Explanation {
        code: "signer-missing",
        means: "The Issuer or ClusterIssuer that the step names does not exist in the cluster.",
        matters: "The request would stay pending, and the present issuer is not renewed any more.",
        act: "Bring it. One that the rotation makes is in step bundle/1-trust: merge that again.",
        example: "kubectl l5d-rotate render bundle --step 1",
        source: "`pkg/controller/certificaterequests/sync.go` in cert-manager: IssuerNotFound",
    },
    Explanation {
        code: "signer-not-shown",
        means: "The Issuer that is to sign the identity issuer has its key from outside of the cluster, or from a Secret that no \
                Certificate makes.",
        matters: "What it signs with is not read. Were it below another anchor than proxies are given, they would reject workload certificates \
                  of the new issuer.",
        act: "Have that Issuer sign any Certificate of yours, verify its tls.crt against the anchor, and confirm it.",
        example: "kubectl l5d-rotate next --confirm signer-of-anchor",
        source: "`pkg/controller/certificaterequests` in cert-manager",
    },
    Explanation {
        code: "signer-of-another",
        means: "The Issuer that is to sign the identity issuer signs with another Secret than that of the anchor.",
        matters: "Proxies reject workload certificates of an issuer whose anchor they do not hold.",
        act: "Put `spec.ca.secretName` of that Issuer back.",
        example: "kubectl get clusterissuers -o custom-columns=NAME:.metadata.name,SECRET:.spec.ca.secretName",
        source: "`pkg/controller/certificaterequests/ca/ca.go` in cert-manager: the Secret is read at every signing",
    },
];
