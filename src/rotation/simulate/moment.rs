//! The mesh at one moment: which bundles accept which presented, and what breaks.

use jiff::Timestamp;

use super::{Classes, When};
use crate::mesh::WorkloadId;
use crate::pki::{Bundle, IssuerChain, Refusal, Rules};
use crate::states::{Holding, Invariant, Sides, States, Violation};

/// The mesh at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When.
    pub when: When,
    /// The bundles that proxies hold, or may hold.
    pub rows: Vec<Row>,
    /// The issuers of the workload certificates that proxies present, or may present.
    pub columns: Vec<Holder>,
    /// Everything that does not hold, the certain first.
    pub violations: Vec<Break>,
}

/// A bundle, and what it accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Who holds it.
    pub holder: Holder,
    /// By column: is a workload certificate of that issuer accepted?
    pub accepts: Vec<bool>,
}

/// Those who hold a bundle, or have a workload certificate of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Index into the bundles or the issuers of [`Classes`].
    pub class: usize,
    /// How many they are, or where that is not `exact`, may be at most.
    pub count: u64,
    /// Is each of them counted here alone?
    pub exact: bool,
    /// Do they hold it for sure?
    pub certain: bool,
    /// The first few pods, as `namespace/pod`.
    pub sample: Vec<String>,
    /// Their workloads.
    pub workloads: Vec<WorkloadId>,
}

/// Two sides that cannot work together.
#[derive(Debug, Clone, PartialEq)]
pub struct Break {
    /// Which of the standing invariants does not hold.
    pub invariant: Invariant,
    /// Whose bundle refuses: the proxies', the controllers', or nobody's yet, the published one.
    pub bundle: Option<Holder>,
    /// What is refused: a workload certificate's issuer, a controller's own, or the Secret's.
    pub issuer: Option<Holder>,
    /// Under whose rules.
    pub rules: Rules,
    /// The reason, as the verifier gives it.
    pub refusal: Refusal,
    /// Is it so in every possible state, or only in some?
    pub certain: bool,
    /// Do connections fail at once, or only when the workload certificates in use have expired? A running proxy that rejects
    /// its next one keeps the one it has: after a swap, what no bundle accepts is presented by nobody.
    pub at_once: bool,
}

impl Moment {
    /// `proxies` is how many there are: where holdings sum up to more, somebody may hold one of several. `fresh` is an
    /// issuer that had signed for no running proxy until now.
    pub(super) fn of(
        when: When,
        (states, at): (&States, Timestamp),
        proxies: u64,
        fresh: Option<&IssuerChain>,
        classes: &mut Classes,
    ) -> Self {
        let sum =
            |counts: &mut dyn Iterator<Item = u64>| when != When::During && counts.sum::<u64>() == proxies;
        let exact = sum(&mut states.bundles.iter().map(|held| held.count));
        let bundles: Vec<_> =
            states.bundles.iter().map(|held| holder(held, classes.bundle(&held.what), exact)).collect();
        let exact = sum(&mut states.presented.iter().map(|held| held.count));
        let presented: Vec<_> =
            states.presented.iter().map(|held| holder(held, classes.issuer(&held.what), exact)).collect();
        let found = states.violations(at);
        let expired = |column: usize| states.presented[column].until.is_some_and(|end| end < at);
        let refused = |bundle: usize, presented: usize| {
            let sides = Sides::Peers { bundle, presented };
            expired(presented) || found.iter().any(|violation| violation.sides == sides)
        };
        let presented_at_all = |chain: usize| {
            fresh != Some(&states.presented[chain].what)
                || (0..bundles.len()).any(|bundle| !refused(bundle, chain))
        };
        let mut violations: Vec<Break> = Vec::new();
        for one in &found {
            let (bundle, issuer) = sides(one, states, (&bundles, &presented), classes);
            let at_once = match one.sides {
                Sides::Peers { presented, .. } => presented_at_all(presented),
                Sides::Start | Sides::Renewal { .. } | Sides::Signing { .. } | Sides::Request { .. } => false,
            };
            let (invariant, rules) = (one.invariant(), one.rules());
            let (refusal, certain) = (one.refusal.clone(), one.certain);
            let this = Break { invariant, bundle, issuer, rules, refusal, certain, at_once };
            if !violations.iter().any(|known| known.is_of(&this)) {
                violations.push(this);
            }
        }
        let mut order: Vec<_> = (0..presented.len()).collect();
        order.sort_by_key(|column| classes.issuer_rank(presented[*column].class));
        let accepts = |bundle| order.iter().map(|column| !refused(bundle, *column)).collect();
        let row = |(index, holder): (usize, &Holder)| Row { holder: holder.clone(), accepts: accepts(index) };
        let mut rows: Vec<_> = bundles.iter().enumerate().map(row).collect();
        rows.sort_by_key(|row| classes.bundle_rank(row.holder.class));
        let columns = order.iter().map(|column| presented[*column].clone()).collect();
        Self { when, rows, columns, violations }
    }
}

impl Break {
    /// Is it the same pair of classes, under the same rules?
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        let class = |holder: &Option<Holder>| holder.as_ref().map(|holder| holder.class);
        self.invariant == other.invariant
            && self.rules == other.rules
            && class(&self.bundle) == class(&other.bundle)
            && class(&self.issuer) == class(&other.issuer)
    }
}

/// Whose bundle it is, and whose issuer.
fn sides(
    violation: &Violation,
    states: &States,
    (bundles, presented): (&[Holder], &[Holder]),
    classes: &mut Classes,
) -> (Option<Holder>, Option<Holder>) {
    let signer = |at: usize, classes: &mut Classes| {
        let held = &states.controllers[at];
        holder(held, classes.issuer(&held.what.1), false)
    };
    match violation.sides {
        Sides::Peers { bundle, presented: chain } | Sides::Request { bundle, presented: chain } => {
            (Some(bundles[bundle].clone()), Some(presented[chain].clone()))
        }
        Sides::Renewal { bundle, controller } => {
            (Some(bundles[bundle].clone()), Some(signer(controller, classes)))
        }
        Sides::Signing { controller } => {
            let held = &states.controllers[controller];
            let bundle = holder(held, classes.bundle(&held.what.0), false);
            (Some(bundle), Some(signer(controller, classes)))
        }
        Sides::Start => (
            states.published.as_ref().map(|bundle| nobody(classes.bundle(bundle))),
            states.issuer.as_ref().map(|chain| nobody(classes.issuer(chain))),
        ),
    }
}

fn holder<T>(held: &Holding<T>, class: usize, exact: bool) -> Holder {
    let Holding { count, certain, sample, workloads, .. } = held;
    let (sample, workloads) = (sample.clone(), workloads.clone());
    Holder { class, count: *count, exact, certain: *certain, sample, workloads }
}

const fn nobody(class: usize) -> Holder {
    Holder { class, count: 0, exact: true, certain: true, sample: Vec::new(), workloads: Vec::new() }
}

/// The states in which any subset has gone from the one to the other.
pub(super) fn either(one: &States, other: &States) -> States {
    let same_pair = |a: &(Bundle, IssuerChain), b: &(Bundle, IssuerChain)| a.0.same_set(&b.0) && a.1 == b.1;
    let mut both = other.clone();
    merge(&mut both.bundles, &one.bundles, Bundle::same_set);
    merge(&mut both.presented, &one.presented, PartialEq::eq);
    merge(&mut both.controllers, &one.controllers, same_pair);
    both
}

/// What is certain of either comes true sooner or later.
fn merge<T: Clone>(into: &mut Vec<Holding<T>>, from: &[Holding<T>], same: impl Fn(&T, &T) -> bool) {
    for held in from {
        let Some(twin) = into.iter_mut().find(|twin| same(&held.what, &twin.what)) else {
            into.push(held.clone());
            continue;
        };
        let until = held.until.zip(twin.until).map(|(one, other)| one.max(other));
        let certain = held.certain || twin.certain;
        let by = [held.by_identity.max(twin.by_identity), held.by_others.max(twin.by_others)];
        if held.count > twin.count {
            *twin = held.clone();
        }
        (twin.certain, twin.until) = (certain, until);
        [twin.by_identity, twin.by_others] = by;
    }
}
