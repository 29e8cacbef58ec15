//! Who does not accept whom, in words.

use super::change::SKIPPED;
use super::refusal::refused;
use super::{Explanation, Words, named, pods};
use crate::finding::{Order, Party, Rejection, TrustFact};
use crate::pki::Refusal;
use crate::report::Screen;

pub(super) fn words(fact: &TrustFact, screen: &Screen) -> Words {
    let rejection = fact.rejection();
    let Rejection { verifier, presenter, certain, .. } = rejection;
    let may = |surely: &str, perhaps: &str| if *certain { surely.to_owned() } else { perhaps.to_owned() };
    let what = match fact {
        TrustFact::IdentityFailsToStart(_) => {
            "An identity controller that starts refuses the issuer and stops: no proxy gets a workload certificate any more."
                .to_owned()
        }
        TrustFact::PeerRejected(_) => format!(
            "{} {} the workload certificates of {}.",
            proxies(verifier, "Proxies that start from then on"),
            may("reject", "may reject"),
            proxies(presenter, "proxies that come to the new issuer"),
        ),
        TrustFact::RenewalRejected(_) => format!(
            "{} {} their next workload certificate, and stop working when the one they have expires.",
            proxies(verifier, "Proxies that start from then on"),
            may("reject", "may reject"),
        ),
        TrustFact::SigningRefused(_) => {
            format!("A running identity controller {} to sign.", may("refuses", "may refuse"))
        }
        TrustFact::RequestRejected(_) => format!(
            "The proxies of identity pods that start from then on {} {} that ask for their next workload certificate. These \
             cannot renew any more, and stop working when the one they have expires.",
            may("reject", "may reject"),
            proxies(presenter, "proxies"),
        ),
    };
    let issuer = presenter.certificates.first().map_or_else(|| "unknown".to_owned(), named);
    let when = rejection.order.map(|order| format!("when:   {}", when(order)));
    let mut items: Vec<_> = when.into_iter().collect();
    items.push(format!("trusts: {}", names(verifier)));
    items.push(format!("meets:  issuer {issuer}"));
    items.extend(rejection.until.map(|until| format!("until:  {} at the latest", screen.exactly(until))));
    let reason = refused(&rejection.refusal, screen);
    let mut effect = match &rejection.refusal {
        // These begin with a name, which stays as it is.
        Refusal::Expired { .. } | Refusal::NotYetValid { .. } => format!("{reason}."),
        _ => format!("{}.", capital(&reason)),
    };
    match (fact, rejection.order) {
        (TrustFact::IdentityFailsToStart(_), None) => {
            effect.push_str(&format!(" It logs `{}`.", rejection.refusal.go_text()));
        }
        (TrustFact::IdentityFailsToStart(_), Some(Order::Issuer | Order::IssuerBeforeBundle)) => {
            effect.push_str(&format!(" {SKIPPED}"));
        }
        _ => {}
    }
    // What to do about a change is said once, for all that it breaks.
    let todo = match (rejection.order, &rejection.refusal) {
        (Some(_), _) => "",
        (None, Refusal::Expired { .. } | Refusal::NotYetValid { .. }) => "Replace what is not valid.",
        (None, Refusal::BundleUnreadable { .. }) => "Publish the bundle as plain certificate blocks.",
        (None, Refusal::UnknownIssuer { .. }) => {
            "Publish the issuer's anchor beside the others, or put back an issuer that the published ones accept."
        }
        (None, _) => "Put in another issuer: no anchor makes this one good.",
    };
    Words { what, items, effect, todo: todo.to_owned() }
}

const fn when(order: Order) -> &'static str {
    match order {
        Order::Bundle => "as soon as the bundle is published",
        Order::Issuer => "as soon as the issuer is in the Secret",
        Order::IssuerBeforeBundle => "while the issuer is in the Secret and the bundle is not published yet",
        Order::Both => "as soon as bundle and issuer are both in place",
        Order::Template => "when pods start with the bundle in their own template",
        Order::Restart => "when the pods restart that the change restarts",
        Order::Everything => "when everything has restarted",
    }
}

fn proxies(party: &Party, nobody: &str) -> String {
    if party.pods.count == 0 { nobody.to_owned() } else { pods(&party.pods, "proxy", "proxies") }
}

fn names(party: &Party) -> String {
    let names: Vec<_> = party.certificates.iter().map(named).collect();
    match &*names {
        [] => "unknown".to_owned(),
        [one] => format!("only {one}"),
        all => all.join(", "),
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "identity-fails-to-start",
        means: "The published trust bundle does not accept the issuer in the Secret, so that an identity controller that \
                starts stops with an error.",
        matters: "Running identity controllers still work, and nobody notices; at the next restart of a pod or a node the mesh \
                  has no issuer, and every proxy loses its identity within a workload certificate's lifetime.",
        act: "Publish the anchor that signed the issuer, or put back an issuer that a published anchor signed, before \
              anything restarts.",
        example: "kubectl l5d-rotate inspect bundle.crt issuer.crt",
        source: "linkerd2 `controller/cmd/identity/main.go` verifies issuer against anchors and exits where that fails.",
    },
    Explanation {
        code: "peer-rejected",
        means: "A proxy does not hold the anchor that signed its peer's issuer, and rejects the peer's workload certificate.",
        matters: "Connections between these proxies fail: in both directions, as mutual TLS needs both sides.",
        act: "Keep both anchors in the bundle until every proxy has restarted with both, and until every workload \
              certificate of the old issuer has expired or been replaced.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "linkerd2-proxy verifies peers with rustls-webpki against the anchors of its environment (linkerd2#4287, \
                 linkerd2#8018).",
    },
    Explanation {
        code: "renewal-rejected",
        means: "A proxy rejects the next workload certificate that it is issued, because it does not hold the issuer's anchor.",
        matters: "The proxy keeps the certificate that it has until it expires, a day later by default; then it can neither \
                  call nor be called. The outage comes hours after the change.",
        act: "Restart the proxy so that it reads the published bundle, or put back the issuer that it accepts.",
        example: "kubectl l5d-rotate status",
        source: "linkerd2-proxy `linkerd/meshtls/src/creds/store.rs` validates a new certificate before it uses it.",
    },
    Explanation {
        code: "request-rejected",
        means: "To renew, a proxy connects to an identity pod with the workload certificate that it has. The proxy in that pod does \
                not hold the anchor that signed it, and rejects it.",
        matters: "The proxy cannot renew any more. Time does not mend it: it stops working when its certificate expires, and \
                  nothing but a restart helps. It shows in no readiness and in no count of failed refreshes.",
        act: "Keep the anchor in the bundle until every workload certificate that it signed has been replaced; only then restart \
              the control plane without it. If it is too late, restart the proxies that still have one.",
        example: "kubectl l5d-rotate status",
        source: "Seen with linkerd2 2.20 and linkerd2-proxy v2.359.0: a bundle pruned before workload certificates were renewed did \
                 not heal.",
    },
    Explanation {
        code: "signing-refused",
        means: "A running identity controller no longer accepts the issuer that it has loaded.",
        matters: "It signs nothing: renewals fail at once, and connections as workload certificates expire.",
        act: "Replace the issuer with one that a published, valid anchor signed, and restart the identity controller.",
        example: "kubectl l5d-rotate recover",
        source: "linkerd2 `pkg/tls` and `pkg/identity/service.go` verify the issuer against the anchors before each signature.",
    },
];
