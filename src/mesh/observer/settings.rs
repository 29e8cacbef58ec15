//! The settings in force: the identity controller's own arguments, else what `linkerd-config` says, else the defaults.

use super::config::{
    CLOCK_SKEW, CLUSTER_DOMAIN, Config, ISSUANCE_LIFE_TIME, ISSUANCE_LIFETIME, SCHEME, Setting, TRUST_DOMAIN,
    VERSION,
};
use super::identity::Identity;
use super::kept::Kept;
use super::tree::{annotation, label};
use crate::mesh::era::Scheme;
use crate::mesh::{GoDuration, Owner};
use crate::printable::escaped;

/// Where settings are looked for.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub(super) identity: Option<&'a Identity<'a>>,
    pub(super) config: Option<&'a Config<'a>>,
}

impl Settings<'_> {
    fn argument(&self, name: &str) -> Option<&str> {
        self.identity?.argument(name)
    }

    fn configured(&self, settings: &[&Setting]) -> Option<&str> {
        settings.iter().find_map(|setting| self.config?.text(setting))
    }

    /// The trust domain.
    pub(super) fn trust_domain(&self) -> String {
        let argument = self.argument("identity-trust-domain").filter(|domain| !domain.is_empty());
        let domain = argument.or_else(|| self.configured(&[&TRUST_DOMAIN, &CLUSTER_DOMAIN]));
        escaped(domain.unwrap_or("cluster.local")).into_owned()
    }

    /// How long a workload certificate is valid.
    pub(super) fn issuance_lifetime(&self) -> GoDuration {
        self.duration(
            "identity-issuance-lifetime",
            &[&ISSUANCE_LIFETIME, &ISSUANCE_LIFE_TIME],
            [86_400, 86_400],
        )
    }

    /// What is added on both ends of a workload certificate's validity.
    pub(super) fn clock_skew(&self) -> GoDuration {
        self.duration("identity-clock-skew-allowance", &[&CLOCK_SKEW], [20, 10])
    }

    /// `seconds`: the chart's default, and what the controller falls back to when it cannot read what it is given
    /// (`controller/cmd/identity/main.go`).
    fn duration(&self, argument: &str, settings: &[&Setting], seconds: [i64; 2]) -> GoDuration {
        let given = self.argument(argument).or_else(|| self.configured(settings));
        given.map_or(GoDuration::from_secs(seconds[0]), |text| {
            text.parse().unwrap_or(GoDuration::from_secs(seconds[1]))
        })
    }

    /// Which keys the controller reads from the issuer Secret, where something tells.
    pub(super) fn scheme(&self) -> Option<Scheme> {
        self.argument("identity-scheme").or_else(|| self.configured(&[&SCHEME])).map(Scheme::of)
    }

    /// The version, by the settings or else by what the given objects say of themselves.
    pub(super) fn version(&self, objects: &[&Kept]) -> Option<String> {
        let owned = |version: &str| escaped(version).into_owned();
        let created = |kept: &&Kept| {
            let (_, version) = annotation(&kept.tree, "linkerd.io/created-by")?.rsplit_once(' ')?;
            Some(owned(version))
        };
        let labelled = |kept: &&Kept| label(&kept.tree, "app.kubernetes.io/version").map(owned);
        let configured = self.configured(&[&VERSION]).map(owned);
        configured.or_else(|| objects.iter().find_map(created)).or_else(|| objects.iter().find_map(labelled))
    }
}

/// Who installed the control plane: a GitOps engine, else a Helm release, else the CLI by its Secret of overrides or its
/// mark, else Helm by Linkerd's own mark.
pub(super) fn installer(objects: &[&Kept], overrides: bool) -> Option<Owner> {
    let owners: Vec<&Owner> = objects.iter().flat_map(|kept| &kept.owners).collect();
    let find = |wanted: fn(&Owner) -> bool| owners.iter().copied().find(|owner| wanted(owner)).cloned();
    find(Owner::is_gitops_engine)
        .or_else(|| find(|owner| matches!(owner, Owner::Helm { release, .. } if !release.is_empty())))
        .or_else(|| overrides.then_some(Owner::LinkerdCli))
        .or_else(|| find(|owner| matches!(owner, Owner::LinkerdCli | Owner::Helm { .. })))
}
