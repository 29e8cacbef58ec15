//! What a mesh holds: its bundle, its issuer, and its proxies by what they trust.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Serialize;

use crate::document::ObjectRef;
use crate::finding::CertificateRef;
use crate::linkerd::EXPIRY_THRESHOLD;
use crate::mesh::{ChangeTime, Held, Known, Mesh, ProxyGroup, Read};
use crate::pki::{Bundle, Fingerprint, Rules};
use crate::report::findings::listed;
use crate::report::words::{count, styled};
use crate::report::{CertificateView, Screen};
use crate::rotation::{Record, Scope};

/// The bundle or the issuer: where it stands, and its certificates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Material {
    object: ObjectRef,
    state: State,
    certificates: Vec<CertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Timestamp>,
}

/// How far trust material could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Read,
    /// The issuer's Secret was not read; this is the copy of its certificate.
    CopyOnly,
    Unreadable,
    Missing,
    NotRead,
}

/// Proxies that hold the same bundle.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Class {
    pub(in crate::report) holds: Holds,
    /// The fingerprint of the bundle, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::report) bundle: Option<Fingerprint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::report) anchors: Vec<HeldAnchor>,
    pub(in crate::report) proxies: u64,
    pub(in crate::report) workloads: BTreeSet<ObjectRef>,
}

/// What proxies hold, seen from the published bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::report) enum Holds {
    Published,
    /// What the ConfigMap held before its last change.
    BeforeLastChange,
    /// One of the two.
    PublishedOrBefore,
    /// What the ConfigMap held when they started; it does not tell when it changed.
    AtStart,
    /// Another bundle, written into their templates or by the injector.
    Other,
    Unreadable,
    /// No trust anchor at all.
    Nothing,
}

impl Holds {
    /// Its name for programs.
    pub(in crate::report) const fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::BeforeLastChange => "before-last-change",
            Self::PublishedOrBefore => "published-or-before",
            Self::AtStart => "at-start",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
            Self::Nothing => "nothing",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct HeldAnchor {
    #[serde(flatten)]
    pub(in crate::report) certificate: CertificateRef,
    /// Is it the new anchor of the rotation under way?
    pub(in crate::report) new: bool,
}

pub(super) fn bundle(mesh: &Mesh) -> Material {
    let object = mesh.bundle_home();
    let published = match &mesh.trust.published {
        Known::Is(published) => published,
        Known::Absent => return Material::without(object, State::Missing),
        Known::Unknown(_) => return Material::without(object, State::NotRead),
    };
    let changed = match published.changed {
        ChangeTime::At(changed) => Some(changed),
        ChangeTime::Since(_) | ChangeTime::Unknown => None,
    };
    match published.text.as_read_by(Rules::Proxy) {
        Err(_) => Material { changed, ..Material::without(object, State::Unreadable) },
        Ok(bundle) => Material {
            changed,
            certificates: bundle.anchors().iter().map(CertificateView::from).collect(),
            ..Material::without(object, State::Read)
        },
    }
}

pub(super) fn issuer(mesh: &Mesh) -> Material {
    let object = mesh.issuer_secret();
    let issuer = match &mesh.issuer {
        Known::Is(issuer) => issuer,
        Known::Absent => return Material::without(object, State::Missing),
        Known::Unknown(_) => return Material::without(object, State::NotRead),
    };
    let Ok(chain) = &issuer.chain else { return Material::without(object, State::Unreadable) };
    let certificates = chain.certificates().map(CertificateView::from).collect();
    let changed = match issuer.changed {
        ChangeTime::At(changed) if issuer.from_secret => Some(changed),
        _ => None,
    };
    let (object, state) =
        if issuer.from_secret { (object, State::Read) } else { (mesh.linkerd_config(), State::CopyOnly) };
    Material { certificates, changed, ..Material::without(object, state) }
}

impl Material {
    fn without(object: ObjectRef, state: State) -> Self {
        Self { object, state, certificates: Vec::new(), changed: None }
    }

    /// One section each, the certificates of all in the same columns.
    pub(super) fn print(sections: &[(&str, &Self)], detail: Detail, screen: &Screen) -> String {
        let all = || sections.iter().flat_map(|(_, material)| &material.certificates);
        let names = all().map(|one| one.name.chars().count()).max().unwrap_or_default();
        let expiries = all().map(|one| validity(one, screen).1.chars().count()).max().unwrap_or_default();
        let fits = 2 + names + 2 + 12 + 2 + expiries + 2 + BAR <= screen.width;
        let mut out = String::new();
        for (title, material) in sections {
            out += &screen.wrapped(&material.place(screen), &heading(title), &" ".repeat(COLUMN));
            for one in &material.certificates {
                if detail == Detail::All {
                    out += &whole(one, screen);
                    continue;
                }
                let (color, end) = validity(one, screen);
                let end = format!("{end:expiries$}");
                let end = color.map_or(end.clone(), |color| styled(color, end));
                let bar = if fits { bar(one, screen) } else { String::new() };
                let line = format!("  {:names$}  {}  {end}  {bar}", one.name, one.fingerprint.short());
                out += &format!("{}\n", line.trim_end());
            }
        }
        out
    }

    fn place(&self, screen: &Screen) -> String {
        let mut place = format!("{} {}", self.object.kind, self.object.name);
        place += match self.state {
            State::Read => "",
            State::CopyOnly => ", a copy of the certificate; the Secret was not read",
            State::Unreadable => ", cannot be read",
            State::Missing => ", missing",
            State::NotRead => ", not read",
        };
        if let Some(changed) = self.changed {
            place += &format!(", changed {}", screen.distance(changed));
        }
        place
    }
}

/// A certificate with its whole fingerprint and validity.
fn whole(one: &CertificateView, screen: &Screen) -> String {
    let (color, end) = validity(one, screen);
    let end = color.map_or(end.clone(), |color| styled(color, end));
    let (from, to) = (screen.plain(one.not_before), screen.plain(one.not_after));
    format!("  {}  {end}\n    SHA-256 {}\n    valid from {from} to {to}\n", one.name, one.fingerprint)
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What a screen holds.
    Screen,
    /// All of it.
    All,
}

/// Where the text beside a heading begins.
pub(super) const COLUMN: usize = 14;

/// The cells of a bar.
const BAR: usize = 10;

pub(super) fn heading(title: &str) -> String {
    format!("{}{}", styled(Style::new().bold(), title), " ".repeat(COLUMN - title.len()))
}

/// When it expires, and its colour.
fn validity(certificate: &CertificateView, screen: &Screen) -> (Option<Style>, String) {
    let color = |color: AnsiColor| Some(Style::new().fg_color(Some(color.into())));
    let (begin, end) = (certificate.not_before, certificate.not_after);
    if screen.at < begin {
        return (color(AnsiColor::Red), format!("not valid before {}", screen.when(begin)));
    }
    if screen.at > end {
        return (color(AnsiColor::Red), format!("expired {}", screen.distance(end)));
    }
    let soon = screen.at.duration_until(end) < EXPIRY_THRESHOLD;
    (color(AnsiColor::Yellow).filter(|_| soon), format!("expires {}", screen.distance(end)))
}

/// How much of the lifetime is used: `▓▓▓▓▓▓▓▓▓░`.
fn bar(certificate: &CertificateView, screen: &Screen) -> String {
    let begin = certificate.not_before.as_second();
    let (lifetime, used) =
        (certificate.not_after.as_second() - begin, (screen.at.as_second() - begin).max(0));
    let cells = if lifetime > 0 { (used * 2 * 10 + lifetime) / (2 * lifetime) } else { 10 };
    let full = usize::try_from(cells).unwrap_or(BAR).min(BAR);
    "▓".repeat(full) + &"░".repeat(BAR - full)
}

pub(in crate::report) fn classes(mesh: &Mesh, record: Option<&Record>) -> Vec<Class> {
    let published =
        mesh.trust.published.as_option().and_then(|published| published.text.as_read_by(Rules::Proxy).ok());
    let mut classes: Vec<Class> = Vec::new();
    for group in &mesh.proxies {
        let (holds, bundle) = held(mesh, group, published);
        let fingerprint = bundle.map(Bundle::fingerprint);
        let workload = mesh.workload(group.workload).object.clone();
        match classes.iter_mut().find(|class| class.holds == holds && class.bundle == fingerprint) {
            Some(class) => {
                class.proxies += group.count();
                class.workloads.insert(workload);
            }
            None => classes.push(Class {
                holds,
                bundle: fingerprint,
                anchors: bundle.map_or_else(Vec::new, |bundle| held_anchors(bundle, record)),
                proxies: group.count(),
                workloads: BTreeSet::from([workload]),
            }),
        }
    }
    classes.sort_by_key(|class| (std::cmp::Reverse(class.proxies), class.holds, class.bundle));
    classes
}

/// What a group of proxies holds, and the bundle where it is known.
fn held<'a>(
    mesh: &'a Mesh,
    group: &ProxyGroup,
    published: Option<&'a Bundle>,
) -> (Holds, Option<&'a Bundle>) {
    match group.held {
        Held::Nothing => (Holds::Nothing, None),
        Held::ByReference => {
            let holds = by_reference(mesh, group);
            (holds, published.filter(|_| holds == Holds::Published))
        }
        Held::Literal(_) => {
            match mesh.literal_bundle(&group.held).map(|text| text.as_read_by(Rules::Proxy)) {
                Some(Ok(bundle)) if published.is_some_and(|published| published.same_set(bundle)) => {
                    (Holds::Published, published)
                }
                Some(Ok(bundle)) => (Holds::Other, Some(bundle)),
                Some(Err(_)) | None => (Holds::Unreadable, None),
            }
        }
    }
}

/// What proxies hold that read the ConfigMap when they started.
fn by_reference(mesh: &Mesh, group: &ProxyGroup) -> Holds {
    let change = mesh.bundle_change();
    if !change.is_dated() {
        return Holds::AtStart;
    }
    let unknown = if group.starts.unknown > 0 { Some(None) } else { None };
    let starts = group.starts.at.keys().map(|start| Some(*start)).chain(unknown);
    let reads: BTreeSet<Read> = starts.map(|start| change.by_environment(start, group.made)).collect();
    if reads.iter().all(|read| *read == Read::After) {
        return Holds::Published;
    }
    if reads.iter().all(|read| *read == Read::Before) {
        return Holds::BeforeLastChange;
    }
    Holds::PublishedOrBefore
}

fn held_anchors(bundle: &Bundle, record: Option<&Record>) -> Vec<HeldAnchor> {
    let new = record.and_then(|record| match &record.scope {
        Scope::Full { anchor } => Some(anchor),
        Scope::IssuerOnly | Scope::Awaited => None,
    });
    let one = |anchor| HeldAnchor { certificate: CertificateRef::from(anchor), new: new == Some(anchor) };
    bundle.anchors().iter().map(one).collect()
}

/// How many other bundles the screen names, those that most proxies hold.
const SHOWN: usize = 8;

/// How many proxies hold the published bundle, and what the others hold.
pub(super) fn summary(classes: &[Class], detail: Detail, screen: &Screen) -> String {
    let all: u64 = classes.iter().map(|class| class.proxies).sum();
    let current: u64 =
        classes.iter().filter(|class| class.holds == Holds::Published).map(|class| class.proxies).sum();
    let number = |number| count(number, "", "").trim_end().to_owned();
    let said = match all {
        0 => "none seen".to_owned(),
        _ => format!("{} of {} hold the published bundle", number(current), number(all)),
    };
    let mut out = screen.wrapped(&said, &heading("Proxies"), &" ".repeat(COLUMN));
    let is_told = |class: &&Class| detail == Detail::All || class.holds != Holds::Published;
    let told: Vec<_> = classes.iter().filter(is_told).collect();
    let shown = if detail == Detail::All { told.len() } else { told.len().min(SHOWN) };
    for class in &told[..shown] {
        let workloads: Vec<_> = class.workloads.iter().collect();
        let workloads = match detail {
            Detail::Screen => listed(&workloads),
            Detail::All => workloads.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let said = format!("{}: {workloads}", class.text());
        out += &screen.wrapped(&said, &format!("  {:>6}  ", number(class.proxies)), &" ".repeat(10));
    }
    let left = &told[shown..];
    if !left.is_empty() {
        let proxies = left.iter().map(|class| class.proxies).sum();
        let said = format!("{}: -o wide names all", count(left.len() as u64, "more bundle", "more bundles"));
        out += &screen.wrapped(&said, &format!("  {:>6}  ", number(proxies)), &" ".repeat(10));
    }
    out
}

impl Class {
    /// Is it what the ConfigMap hands out now?
    pub(in crate::report) fn is_published(&self) -> bool {
        self.holds == Holds::Published
    }

    pub(in crate::report) fn text(&self) -> String {
        match self.holds {
            Holds::Published => "the published bundle".to_owned(),
            Holds::BeforeLastChange => "what the ConfigMap held before its last change".to_owned(),
            Holds::PublishedOrBefore => {
                "the published bundle, or what the ConfigMap held before its last change".to_owned()
            }
            Holds::AtStart => "what the ConfigMap held when they started".to_owned(),
            Holds::Nothing => "no trust anchor".to_owned(),
            Holds::Unreadable => "a bundle that cannot be read".to_owned(),
            Holds::Other => {
                let one = |anchor: &HeldAnchor| {
                    let (name, short) = (&anchor.certificate.name, anchor.certificate.fingerprint.short());
                    if anchor.new { format!("the new anchor {short}") } else { format!("{name} {short}") }
                };
                self.anchors.iter().map(one).collect::<Vec<_>>().join(" and ")
            }
        }
    }
}
