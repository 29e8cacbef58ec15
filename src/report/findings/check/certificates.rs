//! Anchors and issuer: validity, algorithms, keys.

use jiff::SignedDuration;

use super::super::{Words, listed, named};
use crate::document::ObjectRef;
use crate::finding::{
    AlgorithmFault, AnchorRef, CertificateRef, ChainPart, Fact, Finding, Severity, SigningRight,
    UnsupportedAnchor,
};
use crate::mesh::Scheme;
use crate::report::Screen;
use crate::report::words::duration;

pub(super) fn anchor_algorithm(anchors: &[UnsupportedAnchor]) -> Words {
    let one = |unsupported: &UnsupportedAnchor| {
        format!("{} {}", named(&unsupported.anchor.certificate), unsupported.fault)
    };
    Words {
        what: format!("{}.", listed(&anchors.iter().map(one).collect::<Vec<_>>())),
        effect: "This version of Linkerd does not support it.".to_owned(),
        todo: "Rotate to an anchor with a P-256 key.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn anchor_not_yet_valid(anchors: &[AnchorRef], screen: &Screen) -> Words {
    let one = |anchor: &AnchorRef| {
        let certificate = &anchor.certificate;
        if screen.at < certificate.not_before {
            return format!(
                "{} is not valid before {}",
                named(certificate),
                screen.when(certificate.not_before)
            );
        }
        format!("{} expired {}", named(certificate), screen.when(certificate.not_after))
    };
    Words {
        what: format!("{}.", listed(&anchors.iter().map(one).collect::<Vec<_>>())),
        todo: "Publish an anchor that is valid.".to_owned(),
        ..Words::default()
    }
}

/// Each with its expiry, and a verb before it.
fn said_of(anchors: &[AnchorRef], verb: &str, screen: &Screen) -> String {
    let one = |anchor: &AnchorRef| {
        format!("{} {verb} {}", named(&anchor.certificate), screen.when(anchor.certificate.not_after))
    };
    listed(&anchors.iter().map(one).collect::<Vec<_>>())
}

pub(super) fn anchor_expired(anchors: &[AnchorRef], screen: &Screen) -> Words {
    Words {
        what: format!("{}.", said_of(anchors, "expired", screen)),
        effect: "No workload certificate is issued since. Proxies lose their connections as theirs expire."
            .to_owned(),
        ..Words::default()
    }
}

pub(super) fn anchor_expiring(anchors: &[AnchorRef], screen: &Screen) -> Words {
    Words {
        what: format!("{}.", said_of(anchors, "expires", screen)),
        effect: "Until then the old and the new one can be trusted side by side, without downtime."
            .to_owned(),
        ..Words::default()
    }
}

pub(super) fn expired_anchor_left(anchors: &[AnchorRef], screen: &Screen) -> Words {
    Words {
        what: format!("{}, and nothing needs it.", said_of(anchors, "expired", screen)),
        effect: "Proxies ignore it. `linkerd check` fails on it, and shows nothing after it.".to_owned(),
        todo: "Remove it from the bundle (phase prune).".to_owned(),
        ..Words::default()
    }
}

pub(super) fn secret_missing(secret: &ObjectRef) -> Words {
    Words {
        what: format!("{secret} does not exist."),
        effect: "An identity controller that starts now fails.".to_owned(),
        todo: "Restore it before the identity controller restarts.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn secret_keys(secret: &ObjectRef, scheme: Scheme, missing: &[String], found: &[String]) -> Words {
    let (certificate, key) = scheme.keys();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    Words {
        what: format!("{secret} lacks {} (it has {found}).", missing.join(" and ")),
        effect: format!("The identity controller reads {certificate} and {key} (-identity-scheme={scheme})."),
        todo: "Rename the keys. Or change the scheme, and make the Secret again, because its type cannot change."
            .to_owned(),
        ..Words::default()
    }
}

const KEEPS: &str = "The identity controller keeps the issuer it has loaded, and fails at its next start.";

pub(super) fn key_missing(secret: &ObjectRef, scheme: Scheme) -> Words {
    Words {
        what: format!("{secret} holds no private key under {}.", scheme.keys().1),
        effect: KEEPS.to_owned(),
        todo: "Put certificate and key of one issuer into it.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn key_mismatch(secret: &ObjectRef) -> Words {
    Words {
        what: format!("The private key in {secret} belongs to another certificate."),
        effect: KEEPS.to_owned(),
        todo: "Put certificate and key of one issuer into it.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn key_unreadable(secret: &ObjectRef, said: &str) -> Words {
    Words {
        what: format!("The private key in {secret} cannot be read: {said}."),
        effect: KEEPS.to_owned(),
        todo: "Put an EC key there that is not encrypted.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn issuer_algorithm(issuer: &CertificateRef, fault: &AlgorithmFault) -> Words {
    Words {
        what: format!("{} {fault}.", named(issuer)),
        effect: "This version of Linkerd does not support it.".to_owned(),
        todo: "Rotate to an issuer with a P-256 key.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn may_not_sign(issuer: &CertificateRef, lacks: SigningRight) -> Words {
    let lacks = match lacks {
        SigningRight::BasicConstraints => "CA:TRUE in its basic constraints",
        SigningRight::KeyUsage => "keyCertSign in its key usage",
    };
    Words {
        what: format!("{} lacks {lacks}.", named(issuer)),
        effect: "Nobody accepts what it signs.".to_owned(),
        todo: "Have it made as an intermediate CA (cert-manager: `isCA: true`, usage `cert sign`; some Vault roles \
               ignore both)."
            .to_owned(),
        ..Words::default()
    }
}

pub(super) fn issuer_not_yet_valid(certificate: &CertificateRef, screen: &Screen) -> Words {
    Words {
        what: format!("{} is not valid before {}.", named(certificate), screen.when(certificate.not_before)),
        todo: "Restore the issuer before it until then.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn issuer_expired(certificate: &CertificateRef, part: ChainPart, screen: &Screen) -> Words {
    Words {
        what: format!("{} expired {}.", named(certificate), screen.when(certificate.not_after)),
        effect: format!(
            "{}No workload certificate is issued since. Proxies whose certificate has expired must restart.",
            behind(part)
        ),
        ..Words::default()
    }
}

pub(super) fn issuer_expiring(certificate: &CertificateRef, part: ChainPart, screen: &Screen) -> Words {
    let todo = match part {
        ChainPart::Issuer => "",
        ChainPart::Intermediate => {
            "Remove it once every proxy accepts the issuer without it (a cross certificate: phase remove-cross)."
        }
    };
    Words {
        what: format!("{} expires {}.", named(certificate), screen.when(certificate.not_after)),
        effect: behind(part).trim().to_owned(),
        todo: todo.to_owned(),
        ..Words::default()
    }
}

fn behind(part: ChainPart) -> &'static str {
    match part {
        ChainPart::Issuer => "",
        ChainPart::Intermediate => {
            "It stands after the issuer in its file, and no workload certificate outlives it. "
        }
    }
}

pub(super) fn issuer_too_short(
    certificate: &CertificateRef,
    left: SignedDuration,
    lifetime: SignedDuration,
) -> Words {
    Words {
        what: format!(
            "{} expires in {}, and a workload certificate is valid for {}.",
            named(certificate),
            duration(left),
            duration(lifetime)
        ),
        effect: "Workload certificates are cut short, and all proxies ask for new ones ever more often."
            .to_owned(),
        todo: "Renew the issuer earlier, or give it at least twice a workload certificate's life.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn outlives_anchor(issuer: &CertificateRef, anchor: &CertificateRef, screen: &Screen) -> Words {
    Words {
        what: format!(
            "{} expires {}, after its trust anchor {}: {}.",
            named(issuer),
            screen.when(issuer.not_after),
            named(anchor),
            screen.when(anchor.not_after)
        ),
        effect: "The identity controller stops issuing when the anchor expires.".to_owned(),
        todo: "Plan by the anchor's expiry.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn issuer_is_anchor(issuer: &CertificateRef, secret: &ObjectRef) -> Words {
    Words {
        what: format!("{} is both issuer and trust anchor, as `linkerd install` makes it.", named(issuer)),
        effect: format!(
            "The key in {secret} is the root key of the mesh, and the issuer cannot be replaced without the anchor."
        ),
        todo: "Rotate to an anchor of your own: `kubectl l5d-rotate start --dir rotation`.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn copy_checked(
    secret: &ObjectRef,
    config: &ObjectRef,
    found: Option<&Fact>,
    screen: &Screen,
) -> Words {
    let copy = match found {
        None => "passes".to_owned(),
        Some(fact) => {
            let words = super::super::words(&Finding::new(Severity::Unknown, fact.clone()), screen);
            format!("does not pass ({}): {}", fact.code(), words.what.trim_end_matches('.'))
        }
    };
    Words {
        what: format!("{secret} was not read. The copy of the issuer in {config} {copy}."),
        effect: "The copy shows the last render only.".to_owned(),
        todo: "Give the Secret in the input, or the right to read it.".to_owned(),
        ..Words::default()
    }
}
