//! Acts, moments and breaks of a simulation in words.

use crate::report::words::count;
use crate::rotation::Restarted;
use crate::rotation::simulate::{Act, Break, Holder, Simulation, Verdict, When};
use crate::states::Invariant;

/// Lines are no longer than this.
const WIDTH: usize = 100;

/// What is to be said of the whole, in one sentence.
pub(super) fn verdict_text(simulation: &Simulation) -> String {
    let steps = count(simulation.steps.len() as u64, "step", "steps");
    match simulation.verdict() {
        Verdict::Safe => format!("every handshake works through all {steps}{}", unseen("; ", simulation)),
        Verdict::Breaks(step, when, broken) => format!(
            "breaks at {}, {}: {}",
            step.step,
            label(when, &step.act, simulation),
            break_text(broken, simulation)
        ),
        Verdict::Broken(broken) => {
            format!("already broken before the first step: {}", break_text(broken, simulation))
        }
        Verdict::MayBreak(step, broken) => {
            let place = step.map_or("before the first step".to_owned(), |step| format!("at {}", step.step));
            let said = break_text(broken, simulation);
            format!("cannot be told{}; what may break first, {place}: {said}", unseen(": ", simulation))
        }
        Verdict::Unknown => {
            format!(
                "cannot be told{}; in what was seen nothing breaks through all {steps}",
                unseen(": ", simulation)
            )
        }
    }
}

fn unseen(before: &str, simulation: &Simulation) -> String {
    match simulation.unseen.as_slice() {
        [] => String::new(),
        unseen => format!("{before}not seen: {}", unseen.join("; ")),
    }
}

/// The order, and what the names stand for.
pub(super) fn legend(simulation: &Simulation) -> [String; 2] {
    let classes = &simulation.classes;
    let order: Vec<_> = simulation.order.iter().map(ToString::to_string).collect();
    let mut said: Vec<_> =
        classes.anchors().map(|(name, anchor)| format!("{name} = {}", anchor.short())).collect();
    said.extend(
        classes
            .issuers()
            .iter()
            .map(|chain| format!("{} = {}", classes.issuer_name(chain), chain.issuer.fingerprint().short())),
    );
    let late = simulation.workload_certificate_lifetime;
    [format!("phases {}; T+s = {late} (issuance lifetime and clock skew)", order.join(", ")), said.join(", ")]
}

/// What a step does.
pub(super) fn does(act: &Act, simulation: &Simulation) -> String {
    let classes = &simulation.classes;
    match act {
        Act::Publish(bundle) => format!("publish {}", classes.bundle_name(bundle)),
        Act::Swap(chain) if classes.is_crossed(chain) => {
            "put the new issuer and its cross certificate into the Secret".to_owned()
        }
        Act::Swap(chain) => format!("put the {} into the Secret", classes.issuer_name(chain)),
        Act::Restart(Restarted::ControlPlane) => "restart the control plane".to_owned(),
        Act::Restart(Restarted::DataPlane) => "restart the data plane".to_owned(),
        Act::Restart(Restarted::Identity) => "restart the identity controller".to_owned(),
        Act::Restart(Restarted::AllButIdentity) => "restart everything else".to_owned(),
        Act::Wait => "wait until old leaves have run out".to_owned(),
    }
}

/// When a moment is.
pub(super) fn label(when: When, act: &Act, simulation: &Simulation) -> String {
    let late = simulation.workload_certificate_lifetime;
    match (when, act) {
        (When::Before, _) => "before".to_owned(),
        (When::Expired, _) => format!("if left so, after T+s = {late}"),
        (When::After, Act::Wait) => format!("after T+s = {late}"),
        (When::During | When::After, Act::Publish(_) | Act::Swap(_)) => "from +0".to_owned(),
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

/// Who refuses what, why, and when that is felt.
pub(super) fn break_text(broken: &Break, simulation: &Simulation) -> String {
    let classes = &simulation.classes;
    let bundle = broken.bundle.as_ref().map_or_else(
        || "an unknown bundle".to_owned(),
        |holder| classes.bundle_name(&classes.bundles()[holder.class]),
    );
    let issuer = broken.issuer.as_ref().map_or_else(
        || "an unknown issuer".to_owned(),
        |holder| format!("the {}", classes.issuer_name(&classes.issuers()[holder.class])),
    );
    let proxies = format!("{} {bundle}{}", who(broken.bundle.as_ref()), names(broken.bundle.as_ref()));
    let (why, late) = (&broken.refusal, simulation.workload_certificate_lifetime);
    match broken.invariant {
        Invariant::ControllerStarts => format!(
            "an identity controller that restarts refuses {issuer} with the published {bundle} and does not start: {why}; \
             renewals fail from then on, connections as leaves run out, the last after T+s = {late}"
        ),
        Invariant::EveryPair if broken.at_once => {
            format!(
                "{proxies} refuse leaves of {issuer}: {why}; connections with whoever has one fail at once"
            )
        }
        Invariant::EveryPair => format!(
            "{proxies} refuse leaves of {issuer}: {why}; no running proxy takes up such a leaf: connections fail when the \
             leaves in use have run out, at most T+s = {late} later, and whoever starts meanwhile has none"
        ),
        Invariant::EveryRenewal => format!(
            "{proxies} reject their own next leaf, of {issuer}: {why}; renewals fail at once, connections when the leaf they \
             keep has run out, at most T+s = {late} later, and whoever starts meanwhile has none"
        ),
        Invariant::ControllerSigns => format!(
            "an identity controller with {bundle} refuses {issuer} and signs nothing: {why}; renewals fail at once, \
             connections as leaves run out, the last after T+s = {late}"
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

/// Text in lines; the marks in `first` may be coloured, and stand in as many columns as `rest`.
pub(in crate::report) fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let (mut out, mut width) = (first.to_owned(), rest.chars().count());
    let mut fresh = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !fresh && width + 1 + length > WIDTH {
            out.push_str(&format!("\n{rest}"));
            (width, fresh) = (rest.chars().count(), true);
        }
        if !fresh {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        (width, fresh) = (width + length, false);
    }
    out.push('\n');
    out
}
