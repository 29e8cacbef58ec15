//! Examples for the end of each verb's help.

pub(super) const STATUS: &str = "\
Examples:
  kubectl l5d-rotate                                 the mesh that the current context reaches
  kubectl l5d-rotate status --dir rotation           and where a rotation stands
  kubectl l5d-rotate status --watch                  again and again, while a rollout runs
  kubectl get ns,cm,secret,deploy,po -A -o json --show-managed-fields | kubectl l5d-rotate -f -";
pub(super) const CHECK: &str = "\
Examples:
  kubectl l5d-rotate check
  kubectl l5d-rotate check -o short --fail-on warning --expiry-threshold 30d
  kubectl l5d-rotate check -f clusters/prod -R       manifests in a Git checkout
  kubectl l5d-rotate check -o short --expires-within 30d         a job that fails in time
  kubectl l5d-rotate check -o prometheus >l5d_rotate.prom        for node_exporter's textfile collector

Exit codes: 0 no error; 1 an error (--fail-on warning: or a warning); with --expires-within: 0 nothing expires sooner;
1 something does; 3 not known; 2 input error.";
pub(super) const START: &str = "\
Examples:
  kubectl l5d-rotate start --dir rotation            new trust anchor, new issuer
  kubectl l5d-rotate start --dir rotation --anchor-lifetime 10y --issuer-lifetime 1y
  kubectl l5d-rotate start --dir rotation --old-anchor-key ca.key         no forced restart of the data plane
  kubectl l5d-rotate start --dir rotation --issuer-only --anchor ca.crt --anchor-key ca.key";
pub(super) const PLAN: &str = "\
Examples:
  kubectl l5d-rotate plan                            before `start`: what a rotation would be
  kubectl l5d-rotate plan --dir rotation
  kubectl l5d-rotate plan --dir rotation -f dump.json -o yaml
  kubectl l5d-rotate plan --dir rotation -o markdown >runbook.md      for the ticket";
pub(super) const RENDER: &str = "\
Examples:
  kubectl l5d-rotate render bundle --dir rotation                       what may be merged now, as patches
  kubectl l5d-rotate render bundle --dir rotation --out deploy/rotation one Kustomize Component a step
  kubectl l5d-rotate render issuer --step 1 --dir rotation -o object | kubeseal -o yaml
  kubectl l5d-rotate render issuer --rollback --issuer-key old.key --dir rotation    roll it back";
pub(super) const NEXT: &str = "\
Examples:
  kubectl l5d-rotate next --dir rotation --out deploy/rotation
  kubectl l5d-rotate next --dir rotation --in . --pr-body body.md && gh pr create --body-file body.md
  kubectl l5d-rotate next --dir rotation --confirm external-workloads";
pub(super) const WAIT: &str = "\
Examples:
  kubectl l5d-rotate wait bundle/1-trust             until the merged step is done
  kubectl l5d-rotate wait --next --timeout 26h       until the next one may be merged
  kubectl l5d-rotate wait issuer/1 --for ready

Exit codes: 0 it is so; 3 it is not so when the time is up; 2 input error. It looks again after 10 s, then at most once a minute.";
pub(super) const DIFF: &str = "\
Examples:
  kubectl l5d-rotate diff bundle --dir rotation
  KUBECTL_EXTERNAL_DIFF=\"colordiff -N -u\" kubectl l5d-rotate diff issuer --dir rotation";
pub(super) const VERIFY: &str = "\
Examples:
  kubectl l5d-rotate verify --proposed change.yaml   against the mesh that the current context reaches
  kustomize build deploy | kubectl l5d-rotate verify -f mesh.yaml --proposed - -o markdown
  kubectl l5d-rotate verify -f deploy -R --git-base origin/main -o github

Exit codes: 0 safe, or not about trust; 3 safe after a time, or not known; 4 unsafe; 2 input error.";
pub(super) const SIMULATE: &str = "\
Examples:
  kubectl l5d-rotate simulate --dir rotation
  kubectl l5d-rotate simulate --dir rotation -o markdown      for the pull request
  kubectl l5d-rotate simulate --dir rotation --order issuer,bundle,prune";
pub(super) const RECOVER: &str = "\
Examples:
  kubectl l5d-rotate recover                         what has expired, and the next command
  kubectl l5d-rotate recover --dir recovery          new trust anchor and issuer, and the steps to them
  kubectl l5d-rotate recover --dir recovery --anchor ca.crt --anchor-key ca.key     a new issuer alone

Exit codes: 0 nothing has expired; 1 something has; 3 too little is known to tell; 2 input error.";
pub(super) const INSPECT: &str = "\
Examples:
  kubectl l5d-rotate inspect                         bundles and issuer of the mesh
  kubectl l5d-rotate inspect ca.crt issuer.yaml
  kubectl get cm -n linkerd linkerd-identity-trust-roots -o yaml | kubectl l5d-rotate inspect -";
pub(super) const SNAPSHOT: &str = "\
Examples:
  kubectl l5d-rotate snapshot --out mesh.yaml
  kubectl l5d-rotate status -f mesh.yaml             anywhere, without the cluster";
pub(super) const EXPLAIN: &str = "\
Examples:
  kubectl l5d-rotate explain                         every code, with its meaning
  kubectl l5d-rotate explain peer-rejected";
