//! Acts, moments and breaks of a simulation in words.

use crate::finding::{Finding, Severity};
use crate::pki::IssuerChain;
use crate::report::Screen;
use crate::report::findings::{refused, words};
use crate::report::words::count;
use crate::rotation::Restarted;
use crate::rotation::simulate::{Act, Break, Holder, Simulation, Verdict, When};
use crate::states::Invariant;

/// What is to be said of the whole, in one sentence.
pub(super) fn verdict_text(simulation: &Simulation, screen: &Screen) -> String {
    let steps = count(simulation.steps.len() as u64, "step", "steps");
    match simulation.verdict() {
        Verdict::Safe => format!("Every handshake works through all {steps}.{}", unseen(simulation, screen)),
        Verdict::Breaks(step, when, violation) => format!(
            "Breaks at {}, {}: {}",
            step.step,
            label(when, &step.act, simulation),
            break_text(violation, None, simulation, screen)
        ),
        Verdict::Broken(violation) => {
            format!(
                "Already broken before the first step: {}",
                break_text(violation, None, simulation, screen)
            )
        }
        Verdict::MayBreak(step, violation) => {
            let place = step.map_or("before the first step".to_owned(), |step| format!("at {}", step.step));
            let said = break_text(violation, None, simulation, screen);
            format!("Unknown.{} What may break first, {place}: {said}", unseen(simulation, screen))
        }
        Verdict::Unknown => format!(
            "Unknown.{} In what was seen nothing breaks through all {steps}.",
            unseen(simulation, screen)
        ),
    }
}

/// What is not known, a sentence each.
fn unseen(simulation: &Simulation, screen: &Screen) -> String {
    let said = |fact: &_| words(&Finding::new(Severity::Unknown, Clone::clone(fact)), screen).what;
    simulation.unseen.iter().map(|fact| format!(" {}", said(fact))).collect()
}

/// The order, and what the names stand for.
pub(super) fn legend(simulation: &Simulation) -> [String; 3] {
    let classes = &simulation.classes;
    let order: Vec<_> = simulation.order.iter().map(ToString::to_string).collect();
    let anchors: Vec<_> =
        classes.anchors().map(|(name, anchor)| format!("{name} = {}", anchor.short())).collect();
    let issuer = |chain: &IssuerChain| {
        format!("{} = {}", classes.issuer_name(chain), chain.issuer.fingerprint().short())
    };
    let issuers: Vec<_> = classes.issuers().iter().map(issuer).collect();
    let late = simulation.workload_certificate_lifetime;
    let order = format!("phases {}; T+s = {late} (issuance lifetime and clock skew)", order.join(", "));
    [order, anchors.join(", "), issuers.join(", ")]
}

/// What a step does.
pub(super) fn does(act: &Act, simulation: &Simulation) -> String {
    let classes = &simulation.classes;
    match act {
        Act::Publish(bundle) => format!("publish {}", classes.bundle_name(bundle)),
        Act::Swap(chain) if classes.has_cross(chain) => {
            "put the new issuer and its cross certificate into the Secret".to_owned()
        }
        Act::Swap(chain) => format!("put the {} into the Secret", classes.issuer_name(chain)),
        Act::Sign(chain) => {
            format!("let the Issuer sign the {}, at any time from now on", classes.issuer_name(chain))
        }
        Act::Restart(Restarted::ControlPlane) => "restart the control plane".to_owned(),
        Act::Restart(Restarted::DataPlane) => "restart the data plane".to_owned(),
        Act::Restart(Restarted::Identity) => "restart the identity controller".to_owned(),
        Act::Restart(Restarted::AllButIdentity) => "restart everything else".to_owned(),
        Act::Remove => "remove what made the old anchor".to_owned(),
        Act::Wait => "wait until the old workload certificates have expired".to_owned(),
    }
}

/// When a moment is.
pub(super) fn label(when: When, act: &Act, simulation: &Simulation) -> String {
    let late = simulation.workload_certificate_lifetime;
    match (when, act) {
        (When::Before, _) => "before".to_owned(),
        (When::Later, _) => format!("if it stays so, after T+s = {late}"),
        (When::After, Act::Wait) => format!("after T+s = {late}"),
        (When::During | When::After, Act::Publish(_) | Act::Swap(_) | Act::Sign(_) | Act::Remove) => {
            "from +0".to_owned()
        }
        (When::During, Act::Restart(_)) => "during the restart".to_owned(),
        (When::After, Act::Restart(_)) => "after the restart".to_owned(),
        (When::During, Act::Wait) => "while waiting".to_owned(),
    }
}

/// How many hold something, where that was observed.
pub(super) fn held(holder: &Holder) -> String {
    match holder {
        Holder { count: 0, .. } => String::new(),
        Holder { exact: true, .. } => count(holder.count, "proxy", "proxies"),
        Holder { exact: false, .. } => format!("up to {}", count(holder.count, "proxy", "proxies")),
    }
}

/// Who refuses what, why (unless a break of another number has the same reason), and when that is felt.
pub(super) fn break_text(
    violation: &Break,
    same_reason: Option<usize>,
    simulation: &Simulation,
    screen: &Screen,
) -> String {
    let classes = &simulation.classes;
    let bundle = violation.bundle.as_ref().map_or_else(
        || "an unknown bundle".to_owned(),
        |holder| classes.bundle_name(&classes.bundles()[holder.class]),
    );
    let issuer = violation.issuer.as_ref().map_or_else(
        || "an unknown issuer".to_owned(),
        |holder| format!("the {}", classes.issuer_name(&classes.issuers()[holder.class])),
    );
    let proxies = format!("{} {bundle}{}", who(violation.bundle.as_ref()), names(violation.bundle.as_ref()));
    let why = match same_reason {
        Some(number) => format!("for the reason in {number}"),
        None => refused(&violation.refusal, screen),
    };
    let late = simulation.workload_certificate_lifetime;
    let expire = format!("connections fail as workload certificates expire, the last after T+s = {late}");
    match violation.invariant {
        Invariant::ControllerStarts => format!(
            "an identity controller that runs goes on with the issuer that it has loaded; one that restarts refuses {issuer} with \
             the published {bundle} and fails to start: {why}. Renewals fail from then on; {expire}."
        ),
        Invariant::EveryPair if violation.at_once => format!(
            "{proxies} reject workload certificates of {issuer}: {why}. Connections with whoever has one fail at once."
        ),
        Invariant::EveryPair => format!(
            "{proxies} reject workload certificates of {issuer}: {why}. A running proxy keeps the one that it has: {expire}; \
             whoever starts meanwhile has none."
        ),
        Invariant::EveryRenewal => format!(
            "{proxies} reject their next workload certificate, of {issuer}: {why}. Renewals fail at once; {expire}; whoever \
             starts meanwhile has none."
        ),
        Invariant::ControllerSigns => format!(
            "an identity controller with {bundle} refuses {issuer} and signs nothing: {why}. Renewals fail at once; {expire}."
        ),
        Invariant::EveryRequest => format!(
            "the identity pods' proxies with {bundle} reject whoever asks for its next workload certificate with one of {issuer}: \
             {why}. It cannot renew any more, and time does not mend it: {expire}. Only a restart does."
        ),
    }
}

fn who(holder: Option<&Holder>) -> String {
    match holder.map(held) {
        Some(held) if !held.is_empty() => format!("{held} with"),
        _ => "proxies with".to_owned(),
    }
}

fn names(holder: Option<&Holder>) -> String {
    match holder.map(|holder| (holder.sample.as_slice(), holder.count)) {
        Some(([one], 1)) => format!(" ({one})"),
        Some(([first, ..], _)) => format!(" ({first}, …)"),
        _ => String::new(),
    }
}
