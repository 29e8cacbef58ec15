//! What a step changes among the objects of cert-manager and trust-manager.

use jiff::SignedDuration;
use serde::Serialize;

use super::blocker::error;
use super::view::View;
use super::{Change, Phase, Stage, Step, StepState};
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, Finding, InputFact, Opens, Severity, StepFact};
use crate::mesh::{
    BundleSource, CERT_MANAGER_GROUP, CERTIFICATE_KEY, CertManagerCertificate, GoDuration, Mesh, SignsWith,
    is_cluster_bundle,
};
use crate::pki::{Bundle, is_signed_by};
use crate::rotation::{Confirmation, Direction, Managed, ManagedAnchor, Signing};

/// A change of one of these objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ManagedChange {
    /// A Certificate for the new anchor, like that of the old one, and an Issuer that signs with it.
    NewAnchor(Box<NewAnchor>),
    /// This Certificate is not renewed before it is about to expire.
    StopRenewal { certificate: ObjectRef },
    /// The Bundle's sources.
    Sources { bundle: ObjectRef, sources: Vec<BundleSource> },
    /// The issuer's Certificate is signed by this Issuer.
    SignedBy { certificate: ObjectRef, signer: ObjectRef },
    /// This Issuer signs with this Secret.
    SignsWith { issuer: ObjectRef, secret: String },
    /// The issuer's Certificate is issued anew by the Issuer that it has: its duration changes by a second.
    IssuedAnew { certificate: ObjectRef, duration: GoDuration },
    /// Nothing needs this object any more.
    Remove { object: ObjectRef },
}

/// The anchor that comes, and the one that it is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewAnchor {
    pub old: ManagedAnchor,
    pub new: ManagedAnchor,
}

/// How long before its end an anchor is renewed by itself: so late that a rotation comes first.
pub const RENEWED_BEFORE: GoDuration = GoDuration::from_secs(3600);

impl Change {
    /// The objects that it brings, each with the one that it is like.
    #[must_use]
    pub fn beside(&self) -> Vec<(ObjectRef, ObjectRef)> {
        match self {
            Self::Managed(ManagedChange::NewAnchor(anchors)) => {
                let NewAnchor { old, new } = &**anchors;
                let signer =
                    (!new.signer.is_same(&old.signer)).then(|| (new.signer.clone(), old.signer.clone()));
                [(new.certificate.clone(), old.certificate.clone())].into_iter().chain(signer).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl ManagedChange {
    /// The object that it changes; of a new anchor its Certificate.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::NewAnchor(anchors) => &anchors.new.certificate,
            Self::StopRenewal { certificate }
            | Self::SignedBy { certificate, .. }
            | Self::IssuedAnew { certificate, .. } => certificate,
            Self::SignsWith { issuer, .. } => issuer,
            Self::Sources { bundle, .. } => bundle,
            Self::Remove { object } => object,
        }
    }

    /// Is it part of the observed objects?
    pub(super) fn is_merged(&self, mesh: &Mesh) -> bool {
        match self {
            Self::NewAnchor(anchors) => {
                let ManagedAnchor { certificate, signer, .. } = &anchors.new;
                mesh.certificate(certificate).is_some() && mesh.certificate_issuer(signer).is_some()
            }
            Self::StopRenewal { certificate } => {
                mesh.certificate(certificate).is_some_and(|found| !renews_early(found))
            }
            Self::Sources { sources, .. } => {
                mesh.trust_bundle.as_ref().is_some_and(|bundle| bundle.sources == *sources)
            }
            Self::SignedBy { certificate, signer } => mesh
                .certificate(certificate)
                .and_then(|found| found.signer.as_ref())
                .is_some_and(|found| found.is_same(signer)),
            Self::SignsWith { issuer, secret } => signs_with(mesh, issuer, secret),
            Self::IssuedAnew { certificate, duration } => {
                mesh.certificate(certificate).is_some_and(|found| found.duration == Some(*duration))
            }
            Self::Remove { object } => !is_there(mesh, object),
        }
    }
}

/// Is a Certificate renewed while it could still do for a workload certificate's life and more? The guide's anchor is renewed 60
/// days after it was made, which swaps the anchor under a running mesh.
fn renews_early(certificate: &CertManagerCertificate) -> bool {
    let is_late = certificate.renew_before.as_ref().is_some_and(|before| *before <= RENEWED_BEFORE);
    !certificate.renewal_disabled && !is_late
}

fn is_there(mesh: &Mesh, object: &ObjectRef) -> bool {
    mesh.certificate(object).is_some() || mesh.certificate_issuer(object).is_some()
}

/// What a step changes among these objects; `None` where it changes Linkerd's own.
pub(super) fn changes(view: &View<'_>, step: Step) -> Option<Vec<ManagedChange>> {
    let managed = view.record.managed.as_ref()?;
    let forward = view.record.direction == Direction::Forward;
    match step.stage {
        Stage::Trust => {
            let mut changes = Vec::new();
            let adds = step.phase == Phase::Bundle && forward;
            changes.extend(adds.then(|| new_anchor(managed)).flatten());
            match &managed.bundle {
                Some(bundle) => changes.extend(sources(view, managed, bundle, step)),
                None if view.record.awaits_anchor() => {}
                // The anchors are published as ever, once the new one is known.
                None => return None,
            }
            changes.extend(adds.then(|| stopped(managed, view.mesh)).flatten());
            Some(changes)
        }
        Stage::Signer => {
            let ManagedAnchor { signer, secret, .. } = led_to(view)?.made()?.clone();
            Some(vec![ManagedChange::SignsWith { issuer: signer, secret }])
        }
        Stage::Issuer => {
            let certificate = managed.issuer.clone();
            if managed.old.signer().is_same(managed.new.signer()) {
                let duration = longer(view.mesh, &certificate);
                return Some(vec![ManagedChange::IssuedAnew { certificate, duration }]);
            }
            Some(vec![ManagedChange::SignedBy { certificate, signer: led_to(view)?.signer().clone() }])
        }
        Stage::Objects => {
            let objects = removed_objects(view);
            Some(objects.into_iter().map(|object| ManagedChange::Remove { object }).collect())
        }
        Stage::ControlPlane | Stage::DataPlane => None,
    }
}

/// What signs the issuer once this direction is through.
fn led_to<'a>(view: &View<'a>) -> Option<&'a Signing> {
    let managed = view.record.managed.as_ref()?;
    Some(match view.record.direction {
        Direction::Forward => &managed.new,
        Direction::Rollback => &managed.old,
    })
}

/// The duration of a Certificate that tells none (`DefaultCertificateDuration` in cert-manager's `pkg/apis/certmanager/v1`).
const DEFAULT_DURATION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A duration by which the issuer's Certificate is issued anew: a second longer is another request, and the same certificate to
/// everybody else. One that is longer already than what was issued is waited for.
fn longer(mesh: &Mesh, certificate: &ObjectRef) -> GoDuration {
    let told = mesh.certificate(certificate).and_then(|found| found.duration);
    let told = told.map_or(DEFAULT_DURATION, |told| told.0);
    let issued = mesh.secret_chain().map(|chain| chain.issuer.facts());
    let is_outstanding = issued.is_some_and(|facts| facts.not_before.duration_until(facts.not_after) < told);
    let more = SignedDuration::from_secs(if is_outstanding { 0 } else { 1 });
    GoDuration(told.saturating_add(more))
}

/// What goes in the end of the old anchor's: not the Issuer that signs with the new one.
fn removed_objects(view: &View<'_>) -> Vec<ObjectRef> {
    let old = view.record.managed.as_ref().and_then(|managed| managed.old.made());
    let Some(ManagedAnchor { certificate, signer, .. }) = old.cloned() else { return Vec::new() };
    if view.record.keeps_signer() { vec![certificate] } else { vec![certificate, signer] }
}

fn new_anchor(managed: &Managed) -> Option<ManagedChange> {
    let (old, new) = (managed.old.made()?.clone(), managed.new.made()?.clone());
    (old != new).then(|| ManagedChange::NewAnchor(Box::new(NewAnchor { old, new })))
}

/// The old anchor must not change on the way. A later renewal starts nothing, whatever the Certificate says besides
/// (`Trigger` in cert-manager's `internal/controller/certificates/policies`).
fn stopped(managed: &Managed, mesh: &Mesh) -> Option<ManagedChange> {
    let certificate = &managed.old.made()?.certificate;
    let found = mesh.certificate(certificate)?;
    (!found.renewal_disabled).then(|| ManagedChange::StopRenewal { certificate: certificate.clone() })
}

/// The Certificate whose renewal a step stops, where there is time left to do so.
pub(super) fn stopped_by(view: &View<'_>, step: Step) -> Option<ObjectRef> {
    let managed = view.record.managed.as_ref()?;
    let is_first = (step.phase, step.stage) == (Phase::Bundle, Stage::Trust);
    let certificate = &managed.old.made()?.certificate;
    let due = view.mesh.certificate(certificate)?.renewal_time;
    let is_near = due.is_some_and(|due| view.at.duration_until(due) < RENEWED_BEFORE.0);
    (is_first && view.record.direction == Direction::Forward && !is_near).then(|| certificate.clone())
}

/// The Bundle's sources once a step over it is through. A Certificate may renew behind its Secret, so the old anchor stands there
/// as PEM, too, until it is taken away. One that cert-manager does not make stands there as PEM alone.
fn sources(view: &View<'_>, managed: &Managed, bundle: &ObjectRef, step: Step) -> Option<ManagedChange> {
    let found = &view.mesh.trust_bundle.as_ref()?.sources;
    let is_one_text = is_cluster_bundle(bundle);
    let now = &if is_one_text { apart(found) } else { found.clone() };
    let secret = |anchor: &ManagedAnchor| {
        let old = managed.old.made().map(|old| old.secret.as_str());
        let key = now.iter().find_map(|source| match source {
            BundleSource::Secret { name, key } if Some(name.as_str()) == old => Some(key.as_str()),
            _ => None,
        });
        let key = key.unwrap_or(CERTIFICATE_KEY).to_owned();
        BundleSource::Secret { name: anchor.secret.clone(), key }
    };
    let old = managed.old.made().map(secret);
    let new = match managed.new.made() {
        Some(made) => secret(made),
        None => BundleSource::InLine(view.record.anchor()?.to_pem()),
    };
    let sources = match (step.phase, view.record.direction) {
        (Phase::Prune, Direction::Forward) => vec![new],
        (Phase::Bundle, Direction::Rollback) => {
            let is_old = |source: &BundleSource| old.is_some() && is_pinned(source, &view.record.old);
            let kept = now.iter().filter(|source| **source != new && !is_old(source));
            let mut kept: Vec<_> = kept.cloned().collect();
            kept.extend(old.filter(|old| !now.contains(old)));
            kept
        }
        _ => {
            let mut all = now.clone();
            if !all.iter().any(|source| is_pinned(source, &view.record.old)) {
                all.push(BundleSource::InLine(view.record.old.to_pem()));
            }
            for source in old.into_iter().chain([new]) {
                if !all.contains(&source) {
                    all.push(source);
                }
            }
            all
        }
    };
    let sources = if is_one_text { together(sources, found) } else { sources };
    Some(ManagedChange::Sources { bundle: bundle.clone(), sources })
}

/// A ClusterBundle has one text for all certificates that stand in it: one by one while they are changed.
fn apart(sources: &[BundleSource]) -> Vec<BundleSource> {
    let mut all = Vec::new();
    for source in sources {
        match source.in_line() {
            Some(held) => all.extend(held.anchors().iter().map(|one| BundleSource::InLine(one.to_pem()))),
            None => all.push(source.clone()),
        }
    }
    all
}

/// They are one text again, as it was written where it holds the same.
fn together(sources: Vec<BundleSource>, found: &[BundleSource]) -> Vec<BundleSource> {
    let certificates =
        sources.iter().filter_map(BundleSource::in_line).flat_map(|held| held.anchors().to_vec());
    let text = Bundle::new(certificates.collect::<Vec<_>>()).map(|held| {
        let kept = found.iter().find(|source| is_pinned(source, &held));
        kept.cloned().unwrap_or_else(|| BundleSource::InLine(held.to_pem()))
    });
    let is_reference = |source: &BundleSource| !matches!(source, BundleSource::InLine(_));
    sources.into_iter().filter(is_reference).chain(text).collect()
}

/// Does a source hold exactly these anchors as PEM?
fn is_pinned(source: &BundleSource, anchors: &Bundle) -> bool {
    source.in_line().is_some_and(|held| held.same_set(anchors))
}

/// The state of the first step while the new anchor is not known.
pub(super) fn awaited(view: &View<'_>) -> StepState {
    match unread(view, &["certificates", "certificaterequests"]) {
        Some(why) => StepState::Unknown(Box::new(why)),
        None => StepState::Pending { done: 0, of: 1 },
    }
}

/// How far the removal of the old objects is.
pub(super) fn removed(view: &View<'_>) -> StepState {
    if let Some(why) = unread(view, &OBJECTS) {
        return StepState::Unknown(Box::new(why));
    }
    let objects = removed_objects(view);
    let left = objects.iter().filter(|object| is_there(view.mesh, object)).count() as u64;
    let of = objects.len() as u64;
    if left == 0 { StepState::Done } else { StepState::Pending { done: of - left, of } }
}

/// Does the Issuer whose name stays sign with the anchor that this direction leads to?
pub(super) fn repointed(view: &View<'_>) -> StepState {
    let Some(made) = led_to(view).and_then(Signing::made) else { return StepState::Done };
    if signs_with(view.mesh, &made.signer, &made.secret) {
        return StepState::Done;
    }
    let is_seen = view.mesh.certificate_issuer(&made.signer).is_some();
    match unread(view, &OBJECTS[1..]).filter(|_| !is_seen) {
        Some(why) => StepState::Unknown(Box::new(why)),
        None => StepState::Pending { done: 0, of: 1 },
    }
}

fn signs_with(mesh: &Mesh, issuer: &ObjectRef, secret: &str) -> bool {
    let found = mesh.certificate_issuer(issuer).map(|found| &found.signs_with);
    matches!(found, Some(SignsWith::Secret(named)) if named == secret)
}

/// What is left of the step over the issuer while its Certificate names another Issuer than the step does: the next issuer is
/// that one's, whichever is in the Secret now.
pub(super) fn named_otherwise(view: &View<'_>) -> Option<StepState> {
    let managed = view.record.managed.as_ref()?;
    let named = view.mesh.certificate(&managed.issuer)?.signer.as_ref()?;
    let is_other = !named.is_same(led_to(view)?.signer());
    is_other.then_some(StepState::Pending { done: 0, of: 1 })
}

/// The objects that are removed.
const OBJECTS: [&str; 3] = ["certificates", "issuers", "clusterissuers"];

/// Why not all of cert-manager's objects of these resources are known.
fn unread(view: &View<'_>, resources: &[&str]) -> Option<Finding> {
    let mut gaps = view.mesh.gaps.iter();
    let gap =
        gaps.find(|gap| gap.group == CERT_MANAGER_GROUP && resources.contains(&gap.resource.as_str()))?;
    Some(Finding::new(Severity::Unknown, InputFact::NotRead(gap.clone())))
}

/// The Issuer that is to sign must be there, and sign with the anchor that proxies were given.
pub(super) fn signer_is_ready(view: &View<'_>, step: Step) -> Vec<Finding> {
    let managed = view.record.managed.as_ref().filter(|_| step.stage.is_about_issuer());
    let Some((managed, signing)) = managed.zip(led_to(view)) else { return Vec::new() };
    let issuer = signing.signer().clone();
    let found = view.mesh.certificate_issuer(&issuer).map(|found| &found.signs_with);
    match (found, signing) {
        // Those of other groups are not read.
        (None, Signing::Outside(_)) if issuer.group() != CERT_MANAGER_GROUP => {
            signs_below(view, managed, issuer)
        }
        (None, _) => {
            vec![unread(view, &OBJECTS).unwrap_or_else(|| error(StepFact::SignerMissing { issuer }))]
        }
        (Some(SignsWith::Secret(found)), Signing::Made(made)) if *found == made.secret => Vec::new(),
        // Until its own step is taken it signs with the other anchor, and with nothing that somebody else has put there.
        (Some(SignsWith::Secret(found)), Signing::Made(_))
            if view.record.keeps_signer()
                && [&managed.old, &managed.new]
                    .into_iter()
                    .filter_map(Signing::made)
                    .any(|made| made.secret == *found) =>
        {
            Vec::new()
        }
        (Some(_), Signing::Made(made)) => {
            vec![error(StepFact::SignerOfAnother { issuer, secret: made.secret.clone() })]
        }
        (Some(_), Signing::Outside(_)) => signs_below(view, managed, issuer),
    }
}

/// What an Issuer signs with that cert-manager does not make is for a human to know, until it has signed.
fn signs_below(view: &View<'_>, managed: &Managed, issuer: ObjectRef) -> Vec<Finding> {
    let anchor = match (view.record.direction, view.record.anchor()) {
        (Direction::Forward, Some(anchor)) => anchor,
        (Direction::Forward, None) => return Vec::new(),
        (Direction::Rollback, _) => &managed.old_anchor,
    };
    let has_signed = |chain| is_signed_by(chain, anchor, &view.mesh.identity_name());
    if view.mesh.secret_chain().is_some_and(has_signed) {
        return Vec::new();
    }
    let fact = StepFact::SignerNotShown { issuer, anchor: anchor.into() };
    vec![Finding::new(Severity::Unknown, fact).opened_by(Opens::Confirm(Confirmation::SignerOfAnchor))]
}

/// What the signing Certificate was issued last must be the anchor that proxies were given: a renewal has another key.
pub(super) fn anchor_is_the_same(view: &View<'_>, step: Step) -> Vec<Finding> {
    let (record, spec) = (view.record, view.spec(step));
    let is_about_anchors = step.stage == Stage::Trust || step.stage.is_about_issuer();
    let Some(managed) = record.managed.as_ref().filter(|_| is_about_anchors) else { return Vec::new() };
    let (signing, known) = match (record.direction, record.anchor()) {
        (Direction::Forward, Some(anchor)) => (&managed.new, anchor),
        (Direction::Forward, None) => return Vec::new(),
        (Direction::Rollback, _) => (&managed.old, &managed.old_anchor),
    };
    let Some(ManagedAnchor { certificate, .. }) = signing.made() else { return Vec::new() };
    let found = view.mesh.certificate(certificate);
    match found.and_then(CertManagerCertificate::issued) {
        Some(issued) if issued == known => Vec::new(),
        Some(issued) => {
            let published = view.mesh.trust.published.as_option();
            let is_kept = published.is_some_and(|text| text.readings().all(|held| held.contains(known)));
            let [known, issued] = [known, issued].map(CertificateRef::from);
            let certificate = certificate.clone();
            vec![error(StepFact::AnchorReissued { certificate, known, issued, is_kept })]
        }
        // While anchors are only added, nothing depends on it.
        None if step.stage == Stage::Trust && !spec.drops => Vec::new(),
        None => {
            let fact = StepFact::AnchorNotShown { certificate: certificate.clone() };
            let found = Finding::new(Severity::Unknown, fact);
            vec![found.opened_by(Opens::Confirm(Confirmation::RenewalSuspended))]
        }
    }
}

/// The Bundle must be known before its sources are written.
pub(super) fn bundle_is_known(view: &View<'_>, step: Step) -> Vec<Finding> {
    let bundle = view.record.managed.as_ref().and_then(|managed| managed.bundle.as_ref());
    let missing = bundle.filter(|_| step.stage == Stage::Trust && view.mesh.trust_bundle.is_none());
    let unknown = |object| Finding::new(Severity::Unknown, InputFact::ObjectAbsent { object });
    missing.cloned().map(unknown).into_iter().collect()
}

/// What to know beside a step over these objects.
pub(super) fn notes(view: &View<'_>, step: Step) -> Vec<StepFact> {
    let Some(managed) = &view.record.managed else { return Vec::new() };
    if step.stage == Stage::Objects {
        let of = |old: &ManagedAnchor| StepFact::OldKeyStays {
            secret: ObjectRef::new("v1", "Secret", &old.certificate.namespace, &old.secret),
            signer: (!view.record.keeps_signer()).then(|| old.signer.clone()),
        };
        return managed.old.made().map(of).into_iter().collect();
    }
    if step.stage == Stage::Signer {
        let issuer = managed.new.signer().clone();
        return vec![StepFact::SignerShared { issuer, direction: view.record.direction }];
    }
    if step.stage == Stage::Issuer && managed.old.signer().is_same(managed.new.signer()) {
        return request_unseen(view, managed).into_iter().collect();
    }
    let Some(new) = managed.new.made().filter(|_| step.stage == Stage::Trust) else { return Vec::new() };
    let Some(found) = view.mesh.certificate(&new.certificate) else { return Vec::new() };
    let ManagedAnchor { certificate, signer, .. } = new.clone();
    if view.record.awaits_anchor() {
        return vec![StepFact::AnchorAwaited { certificate, request: found.request.clone() }];
    }
    if step.phase == Phase::Bundle && view.record.direction == Direction::Rollback {
        let signer = (!view.record.keeps_signer()).then_some(signer);
        return vec![StepFact::NewObjectsLeft { certificate, signer }];
    }
    Vec::new()
}

/// Without its latest request cert-manager does not compare the duration (`internal/controller/certificates/policies`).
fn request_unseen(view: &View<'_>, managed: &Managed) -> Option<StepFact> {
    let found = view.mesh.certificate(&managed.issuer).filter(|found| found.request.is_none())?;
    Some(StepFact::IssuedAtRenewal { certificate: found.object.clone(), due: found.renewal_time })
}
