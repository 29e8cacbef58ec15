//! The published bundle and its copies.

use super::super::refusal::refused;
use super::super::{Explanation, Words, named};
use crate::document::ObjectRef;
use crate::finding::{BundleDifference, KeyInFile};
use crate::pki::Refusal;
use crate::pki::pem::Defect;
use crate::report::Screen;

/// How many private keys are named before the rest is counted.
const KEYS_NAMED: usize = 12;

pub(super) fn missing(object: &ObjectRef) -> Words {
    Words {
        what: format!("{object} does not exist, or does not hold the trust bundle."),
        effect: "The identity controller, control-plane proxies and the injector fail at their next start."
            .to_owned(),
        todo: "Restore it from Git before anything restarts.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn misread(object: &ObjectRef, defects: &[Defect]) -> Words {
    Words {
        what: format!("Linkerd does not read all of {object}."),
        items: defects.iter().map(ToString::to_string).collect(),
        todo: "Publish it again with nothing but CERTIFICATE blocks, before anything restarts.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn untidy(object: &ObjectRef, defects: &[Defect]) -> Words {
    Words {
        what: format!("Linkerd reads {object}, stricter tools do not."),
        items: defects.iter().map(ToString::to_string).collect(),
        todo: "Nothing: the next render writes it tidily.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn private_key(object: &ObjectRef, lines: &[usize]) -> Words {
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    Words {
        what: format!("A private key stands in {object}, in line {} of the bundle.", lines.join(", ")),
        effect: "Whoever may read the ConfigMap can sign with it, and Git keeps it for ever.".to_owned(),
        todo: "Remove it. If it is the key of a trust anchor or an issuer, rotate both now.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn too_large(object: &ObjectRef, bytes: u64, most: u64) -> Words {
    Words {
        what: format!("The trust bundle in {object} has {bytes} bytes, and {most} are the most."),
        effect: "Linux starts no process with 128 KiB in one environment variable: no proxy starts."
            .to_owned(),
        todo: "Remove the anchors that nothing uses.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn config_missing(config: &ObjectRef) -> Words {
    Words {
        what: format!("{config} does not exist."),
        effect: "`linkerd check` and `linkerd upgrade` need it.".to_owned(),
        todo: "Restore it from Git.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn copy_refuses_issuer(config: &ObjectRef, difference: &BundleDifference) -> Words {
    Words {
        what: format!("The anchors in {config} do not accept the issuer."),
        items: differences(difference, config),
        effect: "The next Helm or CLI upgrade publishes them and breaks the mesh.".to_owned(),
        todo: "Before any upgrade, put the published anchors into the value identityTrustAnchorsPEM."
            .to_owned(),
    }
}

pub(super) fn copy_differs(config: &ObjectRef, difference: &BundleDifference) -> Words {
    Words {
        what: format!("{config} holds other anchors than are published."),
        items: differences(difference, config),
        effect: "`linkerd check`, `linkerd inject --manual` and multicluster checks read them, and the next \
                 Helm or CLI upgrade publishes them."
            .to_owned(),
        todo: "Put the published anchors into the value identityTrustAnchorsPEM.".to_owned(),
    }
}

pub(super) fn copy_outdated(config: &ObjectRef) -> Words {
    Words {
        what: format!(
            "{config} holds the anchors of the installation, and the external CA publishes others."
        ),
        effect: "Only `linkerd inject --manual` and multicluster checks read them.".to_owned(),
        todo: "Do not rely on those two.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn identity_copy_differs(deployment: &ObjectRef, difference: &BundleDifference) -> Words {
    Words {
        what: format!("{deployment} is given other anchors than are published."),
        items: differences(difference, deployment),
        effect: "The identity controller refuses an issuer whose anchor it is not given.".to_owned(),
        todo: "Render the Deployment again (phase bundle, step 2).".to_owned(),
    }
}

pub(super) fn identity_copy_unreadable(deployment: &ObjectRef, defect: &Defect) -> Words {
    Words {
        what: format!("Linkerd cannot read the anchors that {deployment} is given: {defect}."),
        effect:
            "An identity controller that starts stops there: no proxy gets a workload certificate any more."
                .to_owned(),
        todo: "Render the Deployment again (phase bundle, step 2).".to_owned(),
        ..Words::default()
    }
}

fn differences(difference: &BundleDifference, copy: &ObjectRef) -> Vec<String> {
    match difference {
        BundleDifference::Unreadable => vec!["one of the two cannot be read as certificates".to_owned()],
        BundleDifference::Anchors { only_published, only_copy } => {
            let published = only_published.iter().map(|anchor| format!("only published: {}", named(anchor)));
            let copied = only_copy.iter().map(|anchor| format!("only in {copy}: {}", named(anchor)));
            published.chain(copied).collect()
        }
    }
}

pub(super) fn keys_in_files(keys: &[KeyInFile]) -> Words {
    let of = |key: &KeyInFile| match (&key.anchor, key.is_of_issuer) {
        (Some(anchor), _) => {
            format!("{} (of trust anchor {}, {})", key.place, anchor.name, anchor.fingerprint.short())
        }
        (None, true) => format!("{} (of the issuer)", key.place),
        (None, false) => key.place.clone(),
    };
    let mut items: Vec<String> = keys.iter().take(KEYS_NAMED).map(of).collect();
    if keys.len() > KEYS_NAMED {
        items.push(format!("and {} more", keys.len() - KEYS_NAMED));
    }
    let effect = if keys.iter().any(|key| key.anchor.is_some()) {
        "Whoever can read the repository can issue a certificate for any workload."
    } else {
        "Whoever can read the repository has them."
    };
    Words {
        what: "Private keys stand in files in plain text.".to_owned(),
        items,
        effect: effect.to_owned(),
        todo: "Encrypt the files (SOPS, Sealed Secrets), or keep the keys elsewhere. What was committed stays in the history: \
               replace the keys, too."
            .to_owned(),
    }
}

pub(super) fn ca_missing(secret: &ObjectRef) -> Words {
    Words {
        what: format!("{secret} has no ca.crt."),
        effect: "The mesh works; `linkerd check` and `linkerd upgrade` fail.".to_owned(),
        todo: "Add the published anchors under that key.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn ca_unreadable(secret: &ObjectRef, defect: &Defect) -> Words {
    Words {
        what: format!("ca.crt in {secret} cannot be read: {defect}."),
        effect: "The mesh works; `linkerd check` and `linkerd upgrade` fail.".to_owned(),
        todo: "Put the published anchors under that key.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn ca_differs(secret: &ObjectRef, refusal: &Refusal, screen: &Screen) -> Words {
    Words {
        what: format!("ca.crt in {secret} does not accept the issuer: {}.", refused(refusal, screen)),
        effect: "The mesh works; `linkerd check` and `linkerd upgrade` fail.".to_owned(),
        todo: "Put the published anchors under that key.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn ca_not_in_config(secret: &ObjectRef, config: &ObjectRef) -> Words {
    Words {
        what: format!("ca.crt in {secret} and {config} hold different anchors."),
        effect: "Up to Linkerd 2.9 both must be the same.".to_owned(),
        todo: "Put the same anchors into both.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn checked_unreadable(object: &ObjectRef, defect: &Defect) -> Words {
    Words {
        what: format!("`linkerd check` cannot read the anchors in {object}: {defect}."),
        todo: "Put the published anchors there.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn checked_refuse(object: &ObjectRef, refusal: &Refusal, screen: &Screen) -> Words {
    Words {
        what: format!("The anchors in {object} do not accept the issuer: {}.", refused(refusal, screen)),
        effect: "`linkerd check` reads them; the published ones are others.".to_owned(),
        todo: "Put the published anchors there.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn checked_empty(object: &ObjectRef) -> Words {
    Words {
        what: format!("{object} holds no anchors, and `linkerd check` looks for them there."),
        todo: "Put the published anchors there.".to_owned(),
        ..Words::default()
    }
}

pub(in super::super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "private-key-published",
        means: "A private key stands in the text of the trust bundle.",
        matters: "A ConfigMap is no place for a secret: whoever may read it can sign with the key, and Git keeps it for ever. \
                  Readers of the bundle drop certificates at such a block, too.",
        act: "Remove it. If it is the key of a trust anchor or an issuer, rotate both now.",
        example: "kubectl l5d-rotate start --dir rotation",
        source: "linkerd2 `pkg/tls/codec.go`: decoding ends at a block that is no certificate.",
    },
    Explanation {
        code: "trust-bundle-missing",
        means: "The ConfigMap with the published trust anchors does not exist, or lacks its key.",
        matters: "Running proxies keep what they hold. Whatever starts now fails: identity controller, control-plane \
                  proxies, injector.",
        act: "Restore it from Git before anything restarts.",
        example: "kubectl get configmap linkerd-identity-trust-roots -n linkerd",
        source: "charts/linkerd-control-plane/templates/identity.yaml in linkerd2",
    },
    Explanation {
        code: "trust-bundle-misread",
        means: "A reader of Linkerd refuses the text of the published bundle, or loses certificates in it.",
        matters: "Proxies and the control plane have different PEM readers. A blank line at the end, text after the last block \
                  or a foreign block ends the Go reader's work: the control plane does not start, or lacks an anchor.",
        act: "Publish it again with nothing but CERTIFICATE blocks.",
        example: "kubectl l5d-rotate inspect -f bundle.yaml",
        source: "`DecodePEMCertificates` in linkerd2's `pkg/tls/codec.go`, linkerd/linkerd2#3880",
    },
    Explanation {
        code: "trust-bundle-untidy",
        means: "Linkerd reads the published bundle, although it holds comments, blank lines or carriage returns.",
        matters: "Other tools that read it (trust-manager, scripts) may lose certificates.",
        act: "Nothing. What this program renders is tidy.",
        example: "kubectl l5d-rotate render bundle --step 1 --dir rotation",
        source: "RFC 7468 section 2",
    },
    Explanation {
        code: "trust-bundle-too-large",
        means: "The published bundle does not fit into the environment variable that hands it to proxies.",
        matters: "Linux limits one environment string to 128 KiB. No proxy starts with a longer one.",
        act: "Remove the anchors that nothing uses.",
        example: "kubectl l5d-rotate inspect -f bundle.yaml",
        source: "MAX_ARG_STRLEN in `execve(2)`; LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
    },
    Explanation {
        code: "linkerd-config-missing",
        means: "The ConfigMap linkerd-config does not exist.",
        matters: "`linkerd check` and `linkerd upgrade` read Linkerd's settings there, the trust anchors among them.",
        act: "Restore it from Git, or render the chart again.",
        example: "kubectl get configmap linkerd-config -n linkerd",
        source: "charts/linkerd-control-plane/templates/config.yaml in linkerd2",
    },
    Explanation {
        code: "config-copy-refuses-issuer",
        means: "linkerd-config holds anchors that do not accept the issuer, although the published ones do.",
        matters: "The next `helm upgrade` or `linkerd upgrade` publishes them: the identity controller then fails to start.",
        act: "Put the published anchors into the value identityTrustAnchorsPEM before any upgrade.",
        example: "helm get values linkerd-control-plane -n linkerd",
        source: "linkerd/linkerd2#7449; `linkerd upgrade` renders linkerd-config's values",
    },
    Explanation {
        code: "config-copy-differs",
        means: "linkerd-config holds other anchors than are published.",
        matters: "`linkerd check`, `linkerd inject --manual` and multicluster checks read this copy, and the next upgrade \
                  publishes it.",
        act: "Put the published anchors into the value identityTrustAnchorsPEM.",
        example: "helm get values linkerd-control-plane -n linkerd",
        source: "linkerd/linkerd2#7449, linkerd/linkerd2#11668",
    },
    Explanation {
        code: "config-copy-outdated",
        means: "The anchors come from an external CA, and linkerd-config still holds those of the installation.",
        matters: "`linkerd inject --manual` writes them into templates, and multicluster checks compare them.",
        act: "Do not use those two with `identity.externalCA`.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "`identity.externalCA` in charts/linkerd-control-plane/values.yaml",
    },
    Explanation {
        code: "identity-copy-differs",
        means: "Linkerd 2.9 and 2.10 give the identity controller its anchors in its own Deployment, and they are not the \
                published ones.",
        matters: "The identity controller refuses an issuer of an anchor that it is not given.",
        act: "Render the Deployment again with the published anchors.",
        example: "kubectl l5d-rotate render bundle --step 2 --dir rotation",
        source: "charts/linkerd2/templates/identity.yaml of stable-2.9 and stable-2.10",
    },
    Explanation {
        code: "identity-copy-unreadable",
        means: "Linkerd 2.9 and 2.10 give the identity controller its anchors in its own Deployment, and it cannot read them.",
        matters: "The identity controller fails to start, and no workload certificate is issued any more.",
        act: "Render the Deployment again with the published anchors.",
        example: "kubectl l5d-rotate render bundle --step 2 --dir rotation",
        source: "linkerd2 2.10 `controller/cmd/identity/main.go`: LINKERD2_IDENTITY_TRUST_ANCHORS.",
    },
    Explanation {
        code: "private-keys-in-files",
        means: "Files of the repository hold private keys that nothing encrypts. The key of a trust anchor that is published is an \
                error, any other one a warning.",
        matters: "Everybody who can read the repository, a copy or its history has them. With the key of a trust anchor anybody can \
                  pass for any workload of the mesh.",
        act: "Take the key of a trust anchor out of Git, and rotate the anchor. Seal what has to be in Git.",
        example: "kubectl l5d-rotate check -f . -R",
        source: "PEM blocks whose label ends with PRIVATE KEY, as lines, in quotes or in base64; not those that are ENCRYPTED.",
    },
    Explanation {
        code: "issuer-ca-missing",
        means: "The issuer Secret of type kubernetes.io/tls has no ca.crt.",
        matters: "The identity controller does not need it. `linkerd check` and `linkerd upgrade` read the anchors there, and \
                  fail.",
        act: "Add the published anchors as ca.crt.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o jsonpath='{.data.ca\\.crt}'",
        source: "`FetchExternalIssuerData` in linkerd2's `pkg/issuercerts`",
    },
    Explanation {
        code: "issuer-ca-unreadable",
        means: "ca.crt in the issuer Secret is no text that Linkerd's Go reader takes for certificates.",
        matters: "`linkerd check` and `linkerd upgrade` fail; the mesh works.",
        act: "Put the published anchors there, as PEM.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o jsonpath='{.data.ca\\.crt}'",
        source: "`FetchExternalIssuerData` in linkerd2's `pkg/issuercerts`",
    },
    Explanation {
        code: "issuer-ca-differs",
        means: "ca.crt in the issuer Secret does not hold the anchor that signed the issuer.",
        matters: "`linkerd check` and `linkerd upgrade` evaluate the issuer by ca.crt, and fail; the mesh works. cert-manager \
                  writes ca.crt when it issues, and leaves it as it is afterwards.",
        act: "Put the published anchors there.",
        example: "kubectl l5d-rotate inspect",
        source: "linkerd2's `pkg/issuercerts`, cert-manager/cert-manager#2478",
    },
    Explanation {
        code: "issuer-ca-not-in-config",
        means: "Linkerd 2.7 to 2.9 compare ca.crt of the issuer Secret with the anchors in linkerd-config, and they differ.",
        matters: "`linkerd check` of these versions fails.",
        act: "Put the same anchors into both.",
        example: "kubectl l5d-rotate check -o short",
        source: "`pkg/healthcheck/healthcheck.go` of stable-2.9",
    },
    Explanation {
        code: "checked-anchors-unreadable",
        means: "`linkerd check` cannot read the anchors where it looks for them: ca.crt of an external issuer, else \
                linkerd-config.",
        matters: "`linkerd check` fails at once and shows nothing after it. Proxies read the published bundle, which is another \
                  text.",
        act: "Put the published anchors there.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "`pkg/healthcheck/healthcheck.go` in linkerd2",
    },
    Explanation {
        code: "checked-anchors-refuse-issuer",
        means: "The anchors that `linkerd check` reads do not accept the issuer, and are not the published ones.",
        matters: "`linkerd check` fails although the mesh may work, and the next upgrade may publish these anchors.",
        act: "Put the published anchors there.",
        example: "kubectl l5d-rotate check -o short",
        source: "linkerd/linkerd2#7449",
    },
    Explanation {
        code: "checked-anchors-empty",
        means: "There is no anchor where `linkerd check` looks for them.",
        matters: "`linkerd check` calls the issuer signed by an unknown authority. With an external CA the copy stays empty.",
        act: "Put the published anchors there, or ignore this check.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "`pkg/healthcheck/healthcheck.go` in linkerd2",
    },
];
