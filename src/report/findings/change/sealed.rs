//! What an annotation tells of an encrypted issuer, in words.

use crate::finding::SealedDoubt;
use crate::report::findings::{Explanation, Words};

pub(super) fn as_annotated(object: &str, issuer: &str, accepted: bool, is_all: bool) -> Words {
    let what = match (accepted, is_all) {
        (false, true) => {
            format!("Safe, if the ciphertext of {object} holds this certificate and its key: {issuer}.")
        }
        (false, false) => {
            format!(
                "The ciphertext of {object} is taken to hold the certificate in its annotation and its key: {issuer}."
            )
        }
        (true, _) => {
            format!(
                "Accepted: the ciphertext of {object} holds the certificate in its annotation and its key: {issuer}."
            )
        }
    };
    let effect = "The annotation says so, and nothing here proves it: only the cluster opens the ciphertext.";
    let todo = match (accepted, is_all) {
        (false, true) => {
            "Accept it with --accept-annotated where whoever sealed it is trusted; or give the Secret, decrypted in a pipe: `sops -d \
             FILE | kubectl l5d-rotate verify --proposed -`."
        }
        (false, false) => "See what is said beside it first.",
        (true, _) => "",
    };
    Words { what, effect: effect.to_owned(), todo: todo.to_owned(), ..Words::default() }
}

pub(super) fn unproven(object: &str, because: &SealedDoubt) -> Words {
    let what = match because {
        SealedDoubt::SameAnnotation => {
            format!("The ciphertext of {object} changes, and its annotation names the same issuer as before.")
        }
        SealedDoubt::SameCiphertext => {
            format!("The annotation of {object} changes, and its ciphertext is the same as before.")
        }
        SealedDoubt::InPart => {
            format!(
                "Of certificate and key in {object}, one alone is sealed anew, and its annotation changes."
            )
        }
        SealedDoubt::Unreadable(why) => {
            format!("The annotation of {object} holds no certificate that can be read: {why}.")
        }
    };
    let effect = "What the cluster will make of it is not known.";
    let todo = "Seal certificate and key together, and name the certificate in the annotation l5d-rotate/issuer-certificate, as `next \
                --in` does; or give the Secret as the cluster will have it.";
    Words { what, effect: effect.to_owned(), todo: todo.to_owned(), ..Words::default() }
}

pub(in crate::report::findings) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "sealed-as-annotated",
        means: "The issuer is encrypted, and what it holds is told by the annotation l5d-rotate/issuer-certificate beside the \
                ciphertext.",
        matters: "With that certificate the change was evaluated: what it breaks is unsafe. That the ciphertext holds it, and its key, \
                  is the word of whoever sealed it.",
        act: "Accept it with --accept-annotated, where the one who sealed it and the way here are trusted; or decrypt the Secret for \
              this check.",
        example: "kubectl l5d-rotate verify --git-base main --accept-annotated",
        source: "SOPS and Sealed Secrets encrypt for the cluster: nobody else can compare the two.",
    },
    Explanation {
        code: "annotation-unproven",
        means: "The annotation l5d-rotate/issuer-certificate does not fit the ciphertext beside it: one of the two changes without the \
                other, a part is sealed anew, or it cannot be read.",
        matters: "An annotation that was left behind tells of the issuer before, and says nothing of what the cluster will make.",
        act: "Seal certificate and key again, and write the certificate into the annotation in the same change.",
        example: "kubectl l5d-rotate next --in .",
        source: "`kubeseal` and `sops` encrypt with a new random value each time, so that what was sealed anew is never the same text.",
    },
];
