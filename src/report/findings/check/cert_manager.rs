//! Certificates of cert-manager, in words.

use jiff::{SignedDuration, Timestamp};

use super::super::{Words, listed, named};
use super::{counted, total};
use crate::document::ObjectRef;
use crate::finding::{
    CertificateRef, HeldRequest, LateRenewal, Overdue, RefusingProxies, Renewal, RenewalTime,
};
use crate::report::Screen;
use crate::report::words::duration;

/// The issuer that is signed next.
pub(super) struct NextIssuer<'a> {
    pub(super) certificate: &'a ObjectRef,
    pub(super) anchor: &'a CertificateRef,
    pub(super) made_by: &'a ObjectRef,
    pub(super) due: Option<Timestamp>,
}

impl NextIssuer<'_> {
    pub(super) fn refused(&self, is_published: bool, refusals: &[RefusingProxies], screen: &Screen) -> Words {
        let Self { certificate, anchor, made_by, due } = self;
        let when = due.map_or_else(String::new, |due| format!(" {}", screen.when(due)));
        let all: Vec<_> = refusals.iter().flat_map(|refusing| refusing.workloads.iter().cloned()).collect();
        let who = match all.is_empty() {
            true => "the trust bundle lacks it".to_owned(),
            false => format!("{} hold it", total(&all, "proxy does not", "proxies do not")),
        };
        let todo = match is_published {
            true => "Restart the control plane and then the workloads before that, so that they load it.",
            false => {
                "Put it into the trust bundle beside the others (a source of the Bundle) before that, then restart the control \
                      plane and the workloads."
            }
        };
        Words {
            what: format!(
                "The next renewal of {certificate}{when} is signed by the anchor {} of {made_by}, and {who}.",
                named(anchor)
            ),
            items: counted(&all, "proxy", "proxies"),
            effect: "They reject all workload certificates of the next issuer, and have theirs rejected."
                .to_owned(),
            todo: todo.to_owned(),
        }
    }
}

pub(super) fn renews_anchor(renewals: &[Renewal], screen: &Screen) -> Words {
    let one = |renewal: &Renewal| match renewal.when {
        RenewalTime::At(due) => format!("{} {}", renewal.certificate, screen.when(due)),
        RenewalTime::Age(age) => {
            let age = duration(age);
            format!("{} {age} after it is made, not {age} before it expires", renewal.certificate)
        }
    };
    Words {
        what: format!(
            "cert-manager renews the trust anchor: {}.",
            listed(&renewals.iter().map(one).collect::<Vec<_>>())
        ),
        effect: "The issuer's next renewal is signed by the new anchor, and no proxy restarts in between."
            .to_owned(),
        todo: "Set renewBefore short, and rotate before that day.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn rotation_policy(certificates: &[ObjectRef]) -> Words {
    Words {
        what: format!("{} sets no spec.privateKey.rotationPolicy.", listed(certificates)),
        effect: "An upgrade of cert-manager to 1.18 turns Never into Always: the next renewal makes a key that no \
                 proxy knows."
            .to_owned(),
        todo: "Set it.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn renews_late(certificates: &[LateRenewal], lifetime: SignedDuration) -> Words {
    let one = |late: &LateRenewal| format!("{} {} before it expires", late.certificate, duration(late.left));
    Words {
        what: format!(
            "cert-manager renews the issuer late: {}. A workload certificate is valid for {}.",
            listed(&certificates.iter().map(one).collect::<Vec<_>>()),
            duration(lifetime)
        ),
        effect: "Before each renewal workload certificates are cut short, and all proxies ask for new ones ever \
                 more often."
            .to_owned(),
        todo: "Give spec.renewBefore more than a workload certificate's life (the guide: duration 48h, renewBefore \
               25h)."
            .to_owned(),
        ..Words::default()
    }
}

pub(super) fn overdue(certificates: &[Overdue], screen: &Screen) -> Words {
    let one = |overdue: &Overdue| {
        let last = overdue.last_request.as_ref().map(|request| format!(" (last request {})", request.name));
        let due = screen.when(overdue.due);
        format!("{} was due {due}{}", overdue.certificate, last.unwrap_or_default())
    };
    let effect = if certificates.iter().all(|overdue| overdue.last_request.is_some()) {
        "It has made no CertificateRequest since, so it does not run, or does not see them."
    } else {
        "No CertificateRequest in the input tells why."
    };
    Words {
        what: format!(
            "cert-manager has not renewed on time: {}.",
            listed(&certificates.iter().map(one).collect::<Vec<_>>())
        ),
        effect: effect.to_owned(),
        todo: "Look whether its controller runs, and at its log.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn denied(requests: &[HeldRequest], screen: &Screen) -> Words {
    Words {
        what: format!("An approver has denied what cert-manager asks for: {}.", held(requests, screen)),
        effect: "A request that is denied is never signed.".to_owned(),
        todo: format!("Have the approver allow it; {}.", again(requests, screen)),
        ..Words::default()
    }
}

pub(super) fn failed(requests: &[HeldRequest], screen: &Screen) -> Words {
    Words {
        what: format!("What cert-manager asks for has failed: {}.", held(requests, screen)),
        todo: format!("Mend what it names; {}.", again(requests, screen)),
        ..Words::default()
    }
}

pub(super) fn waits(requests: &[HeldRequest], screen: &Screen) -> Words {
    Words {
        what: format!("What cert-manager asks for waits: {}.", held(requests, screen)),
        effect: "It waits until that is there, and no other request is made.".to_owned(),
        todo: "Bring what it names: an approval, the Issuer, or the Secret that it signs with.".to_owned(),
        ..Words::default()
    }
}

fn held(requests: &[HeldRequest], screen: &Screen) -> String {
    let one = |held: &HeldRequest| {
        let object = held.request.as_ref().unwrap_or(&held.certificate);
        let since = held.since.map(|since| format!(" {}", screen.when(since))).unwrap_or_default();
        match held.said.trim_end_matches(['.', ' ', ':']) {
            "" => format!("{object}{since}"),
            said => format!("{object}{since} ({said})"),
        }
    };
    listed(&requests.iter().map(one).collect::<Vec<_>>())
}

/// When cert-manager asks again.
fn again(requests: &[HeldRequest], screen: &Screen) -> String {
    match requests.iter().filter_map(|held| held.retry).min() {
        Some(retry) => format!(
            "cert-manager asks again {}, and at once where the Certificate's spec changes",
            screen.when(retry)
        ),
        None => "cert-manager asks again an hour after it failed, and at once where the Certificate's spec changes"
            .to_owned(),
    }
}
