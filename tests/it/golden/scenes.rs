//! The scenes: a name, and the lines that a user types.

/// The stages of the rotation in `testdata/rotation`, and when they were seen.
pub(crate) const STAGES: [(&str, &str); 7] = [
    ("1-bundle-published", "2026-11-23T03:00:00Z"),
    ("2-control-plane-restarted", "2026-11-23T03:30:00Z"),
    ("3-bundle-everywhere", "2026-11-23T04:30:00Z"),
    ("4-issuer-swapped", "2026-11-23T05:00:00Z"),
    ("5-certificates-renewed", "2026-11-23T06:30:00Z"),
    ("6-pruned", "2026-11-23T07:00:00Z"),
    ("7-finished", "2026-11-23T08:30:00Z"),
];

/// Scenes over committed files: their output is compared as it is.
pub(crate) const SCENES: &[(&str, &str)] = &[
    ("status", "kubectl l5d-rotate @cluster"),
    ("status-json", "kubectl l5d-rotate status -o json @cluster"),
    ("status-yaml", "kubectl l5d-rotate status -o yaml --dir testdata/rotation @6"),
    (
        "status-at-each-stage",
        "kubectl l5d-rotate status --dir testdata/rotation @cluster
         kubectl l5d-rotate status --dir testdata/rotation @1
         kubectl l5d-rotate status --dir testdata/rotation @2
         kubectl l5d-rotate status --dir testdata/rotation @3
         kubectl l5d-rotate status --dir testdata/rotation @4
         kubectl l5d-rotate status --dir testdata/rotation @5
         kubectl l5d-rotate status --dir testdata/rotation @6
         kubectl l5d-rotate status --dir testdata/rotation @7",
    ),
    (
        "status-of-sick-meshes",
        "kubectl l5d-rotate -f testdata/sick/expired-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate -f testdata/sick/expired-anchor.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate -f testdata/sick/issuer-swapped-too-early.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate -f testdata/sick/trailing-blank-line-in-bundle.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate -f testdata/sick/cert-manager.yaml --at 2026-11-23T02:00:00Z",
    ),
    (
        "check",
        "kubectl l5d-rotate check @cluster
         kubectl l5d-rotate check -o short @1
         kubectl l5d-rotate check -o short --fail-on warning @1
         kubectl l5d-rotate check -o short --fail-on warning @7
         kubectl l5d-rotate check -o short --expiry-threshold 10d @cluster",
    ),
    ("check-json", "kubectl l5d-rotate check -o json @cluster"),
    (
        "check-prometheus",
        "kubectl l5d-rotate check -o prometheus @2
         kubectl l5d-rotate check -o prometheus -f testdata/sick/expired-issuer.yaml --at 2026-11-23T02:00:00Z",
    ),
    (
        "check-expires-within",
        "kubectl l5d-rotate check -o short --expires-within 36d @cluster
         kubectl l5d-rotate check -o short --expires-within 30d @cluster
         kubectl l5d-rotate check -o short --expires-within 30d -f testdata/sick/expired-anchor.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate check --expires-within 30 @cluster",
    ),
    (
        "wide-and-name",
        "kubectl l5d-rotate status -o wide @2
         kubectl l5d-rotate plan -o wide --dir testdata/rotation @1
         kubectl l5d-rotate plan -o name --dir testdata/rotation @cluster
         kubectl l5d-rotate check -o name @cluster",
    ),
    (
        "plan-before-start",
        "kubectl l5d-rotate plan @cluster
         kubectl l5d-rotate plan --strategy patient -o name @cluster
         kubectl l5d-rotate plan --strategy cross-signed @cluster
         kubectl l5d-rotate plan -o markdown @cluster",
    ),
    (
        "near-misses",
        "kubectl l5d-rotate statsu
         kubectl l5d-rotate explain trust-anchor-expirng
         kubectl l5d-rotate explain wrong
         kubectl l5d-rotate render bundel --dir testdata/rotation @cluster
         kubectl l5d-rotate wait isuer/1 --dir testdata/rotation @cluster
         kubectl l5d-rotate status --wacth",
    ),
    ("check-yaml", "kubectl l5d-rotate check -o yaml @2"),
    (
        "check-of-sick-meshes",
        "kubectl l5d-rotate check -o short -f testdata/sick/expired-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate check -o short -f testdata/sick/expired-anchor.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate check -o short -f testdata/sick/issuer-swapped-too-early.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate check -o short -f testdata/sick/trailing-blank-line-in-bundle.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate check -o short -f testdata/sick/cert-manager.yaml --at 2026-11-23T02:00:00Z",
    ),
    ("plan", "kubectl l5d-rotate plan --dir testdata/rotation @cluster"),
    ("plan-half-way", "kubectl l5d-rotate plan --dir testdata/rotation @4"),
    ("plan-markdown", "kubectl l5d-rotate plan -o markdown --dir testdata/rotation @4"),
    ("plan-json", "kubectl l5d-rotate plan -o json --dir testdata/rotation @2"),
    (
        "render-bundle-1-trust",
        "kubectl l5d-rotate render bundle --step 1 --dir testdata/rotation @cluster
         kubectl l5d-rotate render bundle --step 1 -o json-patch --dir testdata/rotation @cluster
         kubectl l5d-rotate render bundle --step 1 -o object --dir testdata/rotation @cluster",
    ),
    (
        "render-bundle-2-control-plane",
        "kubectl l5d-rotate render bundle --step 2 --dir testdata/rotation @1
         kubectl l5d-rotate render bundle --step 2 -o json-patch --dir testdata/rotation @1",
    ),
    ("render-bundle-2-control-plane-object", "kubectl l5d-rotate render bundle --step 2 -o object --dir testdata/rotation -f testdata/cluster.yaml --at 2026-11-23T03:00:00Z --force"),
    (
        "render-bundle-3-data-plane",
        "kubectl l5d-rotate render bundle --step 3 --dir testdata/rotation @2
         kubectl l5d-rotate render bundle --step 3 -o json-patch --dir testdata/rotation @2",
    ),
    (
        "render-bundle-3-data-plane-object",
        "kubectl l5d-rotate render bundle --step 3 -o object --dir testdata/rotation @2
         kubectl l5d-rotate render bundle --step 3 -o object --force --dir testdata/rotation @cluster | sed -n '1,60p'",
    ),
    ("next-pr-body", "kubectl l5d-rotate next --pr-body - --dir testdata/rotation @2"),
    (
        "next-pr-body-in-a-file",
        "kubectl l5d-rotate next --pr-body body.md --out rotate --dir testdata/rotation @cluster
         head -n 2 body.md
         sed -i 1d body.md
         kubectl l5d-rotate next --pr-body body.md --out rotate --dir testdata/rotation @cluster",
    ),
    (
        "verify-markdown",
        "kubectl l5d-rotate render bundle --step 1 -o object --dir testdata/rotation @cluster >change.yaml
         kubectl l5d-rotate verify --proposed change.yaml --dir testdata/rotation -o markdown @cluster
         kubectl l5d-rotate render prune --step 1 --force -o object --dir testdata/rotation @cluster >change.yaml
         kubectl l5d-rotate verify --proposed change.yaml -o markdown @cluster",
    ),
    (
        "render-restarted-at",
        "kubectl l5d-rotate render bundle --step 3 --restart-annotation kubectl.kubernetes.io/restartedAt --dir testdata/rotation @2",
    ),
    (
        "render-into-directories",
        "kubectl l5d-rotate render bundle --step 1 --out rotate --dir testdata/rotation @cluster
         kubectl l5d-rotate render bundle --out rotate --dir testdata/rotation @2
         find rotate -type f | sort
         cat rotate/bundle/3-data-plane/shop/kustomization.yaml
         cat rotate/bundle/1-trust/linkerd/kustomization.yaml
         cat rotate/bundle/2-control-plane/linkerd/*identity*
         kubectl l5d-rotate render bundle --step 3 --out rotate --dir testdata/rotation @2
         sed -i 1d rotate/bundle/3-data-plane/shop/kustomization.yaml
         kubectl l5d-rotate render bundle --step 3 --out rotate --dir testdata/rotation @2",
    ),
    (
        "render-not-ready",
        "kubectl l5d-rotate render bundle --dir testdata/rotation @1 >bundle.yaml
         kubectl l5d-rotate render bundle --step 3 --dir testdata/rotation @1
         kubectl l5d-rotate render issuer --dir testdata/rotation @cluster
         kubectl l5d-rotate render issuer --step 2 --dir testdata/rotation @3
         kubectl l5d-rotate render issuer --step 1 --dir testdata/rotation @3
         kubectl l5d-rotate render prune --dir testdata/rotation @2
         kubectl l5d-rotate render prune --dir testdata/rotation @4
         kubectl l5d-rotate render prune --step 1 --force --dir testdata/rotation @4",
    ),
    (
        "diff-bundle",
        "kubectl l5d-rotate diff bundle --step 1 --dir testdata/rotation @cluster
         kubectl l5d-rotate diff bundle --step 1 --dir testdata/rotation @1
         kubectl l5d-rotate diff bundle --step 2 --dir testdata/rotation @1",
    ),
    ("diff-bundle-data-plane", "kubectl l5d-rotate diff bundle --step 3 --dir testdata/rotation @cluster"),
    (
        "diff-prune",
        "kubectl l5d-rotate diff prune --step 1 --dir testdata/rotation @5
         kubectl l5d-rotate diff prune --step 2 --dir testdata/rotation @6
         kubectl l5d-rotate diff prune --dir testdata/rotation @7",
    ),
    (
        "inspect",
        "kubectl l5d-rotate inspect testdata/rotation/issuer.pem testdata/rotation/trust-bundle.pem --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate inspect @1
         kubectl l5d-rotate inspect -o json testdata/rotation/anchor.pem --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate inspect -o yaml - --at 2026-11-23T02:00:00Z <testdata/rotation/anchor.pem",
    ),
    ("inspect-manifest", "kubectl l5d-rotate inspect testdata/cluster.yaml --at 2026-11-23T02:00:00Z"),
    (
        "snapshot",
        "kubectl l5d-rotate snapshot @cluster | sed -n '1,60p'
         kubectl l5d-rotate snapshot --out mesh.yaml @cluster
         kubectl l5d-rotate snapshot --out mesh.yaml @cluster
         kubectl l5d-rotate snapshot -f mesh.yaml | cmp - mesh.yaml",
    ),
    (
        "start-refused",
        "kubectl l5d-rotate start --dir testdata/rotation @cluster
         kubectl l5d-rotate start --dir rotation -f testdata/sick/cert-manager.yaml --at 2026-11-23T02:00:00Z
         mkdir full && touch full/notes.txt
         kubectl l5d-rotate start --dir full @cluster
         kubectl l5d-rotate start --dir rotation --issuer-only @cluster
         kubectl l5d-rotate start --dir rotation --issuer-only --anchor testdata/rotation/anchor.pem --anchor-key none.key @cluster
         kubectl l5d-rotate start --dir rotation --anchor-lifetime 3650 @cluster
         mkdir keys && cd keys && git init -q && echo '!*.key' >.gitignore && touch .gitkeep
         mkdir keys/rotation && touch keys/rotation/.gitignore && kubectl l5d-rotate start --dir keys/rotation @cluster
         ls -A keys/rotation
         ls",
    ),
    (
        "recover",
        "kubectl l5d-rotate recover -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T06:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-24T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/expired-anchor.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/expired-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/cert-manager.yaml --at 2026-12-29T02:00:00Z
         kubectl l5d-rotate recover -f testdata/stages/3-bundle-everywhere.yaml --at 2026-12-28T12:00:00Z
         kubectl l5d-rotate recover -f testdata/stages/5-certificates-renewed.yaml --at 2026-12-29T02:00:00Z",
    ),
    (
        "recover-where-nothing-has-expired",
        "kubectl l5d-rotate recover @cluster
         kubectl l5d-rotate recover -f testdata/sick/issuer-swapped-too-early.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/trailing-blank-line-in-bundle.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover -f testdata/sick/cert-manager.yaml --at 2026-11-23T02:00:00Z",
    ),
    ("recover-json", "kubectl l5d-rotate recover -o json -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T02:00:00Z"),
    ("recover-yaml", "kubectl l5d-rotate recover -o yaml -f testdata/sick/expired-issuer.yaml --at 2026-11-23T02:00:00Z"),
    ("rbac", "kubectl l5d-rotate rbac"),
    ("version", "kubectl l5d-rotate version\nkubectl l5d-rotate --version"),
    (
        "completion",
        "kubectl l5d-rotate completion kubectl
         kubectl l5d-rotate completion bash | head -n 5
         kubectl l5d-rotate completion zsh | head -n 5
         kubectl l5d-rotate __complete -- render ''
         kubectl l5d-rotate __complete -- st",
    ),
    ("explain", "kubectl l5d-rotate explain peer-rejected\nkubectl l5d-rotate explain peer-rejected -o json"),
    ("help", "kubectl l5d-rotate -h\nkubectl l5d-rotate --help"),
    (
        "help-of-each-verb",
        "kubectl l5d-rotate status -h
         kubectl l5d-rotate check -h
         kubectl l5d-rotate start -h
         kubectl l5d-rotate plan -h
         kubectl l5d-rotate render -h
         kubectl l5d-rotate next -h
         kubectl l5d-rotate wait -h
         kubectl l5d-rotate diff -h
         kubectl l5d-rotate recover -h
         kubectl l5d-rotate inspect -h
         kubectl l5d-rotate snapshot -h
         kubectl l5d-rotate explain -h
         kubectl l5d-rotate rbac -h
         kubectl l5d-rotate completion -h
         kubectl l5d-rotate version -h",
    ),
    ("help-render", "kubectl l5d-rotate render --help"),
    (
        "errors-of-usage",
        "kubectl l5d-rotate rotate
         kubectl l5d-rotate render
         kubectl l5d-rotate render bundel --dir testdata/rotation @cluster
         kubectl l5d-rotate render bundle @cluster
         kubectl l5d-rotate render bundle --step 4 --dir testdata/rotation @cluster
         kubectl l5d-rotate --at yesterday
         kubectl l5d-rotate check --expiry-threshold 60 @cluster
         kubectl l5d-rotate plan --dir nowhere @cluster
         kubectl l5d-rotate -f nowhere.yaml
         kubectl l5d-rotate -f testdata/sick
         mkdir empty && kubectl l5d-rotate -f empty
         kubectl l5d-rotate -f testdata/rotation
         kubectl l5d-rotate -f testdata/rotation/anchor.pem
         kubectl l5d-rotate inspect testdata/README.md
         kubectl l5d-rotate -f testdata/stages/1-bundle-published.yaml -f testdata/cluster.yaml
         kubectl l5d-rotate --linkerd-namespace l5d -f testdata/cluster.yaml
         KUBECONFIG=/dev/null kubectl l5d-rotate --kubeconfig /dev/null",
    ),
];

/// Scenes that mint: what differs each time is masked.
pub(crate) const FRESH: &[(&str, &str)] = &[
    (
        "start",
        "kubectl l5d-rotate start --dir rotation @cluster
         ls -A rotation
         cat rotation/rotation.yaml
         kubectl l5d-rotate start --dir rotation @cluster
         kubectl l5d-rotate inspect rotation/issuer.key",
    ),
    (
        "start-into-git",
        "git init -q && kubectl l5d-rotate start --dir rotation --issuer-lifetime 20y @cluster
         git add rotation && git ls-files",
    ),
    (
        "start-patient",
        "kubectl l5d-rotate start --dir rotation --strategy patient --anchor-name root.example --anchor-lifetime 5y --issuer-lifetime 90d @cluster
         kubectl l5d-rotate plan --dir rotation @cluster",
    ),
    (
        "recover-begins",
        "kubectl l5d-rotate recover --dir recovery -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate plan --dir recovery -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover --dir recovery -f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at 2026-11-23T02:00:00Z
         kubectl l5d-rotate recover --dir never @cluster
         kubectl l5d-rotate recover --dir never -f testdata/stages/5-certificates-renewed.yaml --at 2026-12-29T02:00:00Z
         kubectl l5d-rotate recover --dir never -f testdata/sick/cert-manager.yaml --at 2026-12-29T02:00:00Z
         ls",
    ),
    (
        "start-with-an-anchor-of-ones-own",
        "kubectl l5d-rotate start --dir first @cluster
         kubectl l5d-rotate start --dir second --anchor first/anchor.pem --anchor-key first/anchor.key @cluster
         kubectl l5d-rotate start --dir third --anchor first/anchor.pem --anchor-key first/issuer.key @cluster
         kubectl l5d-rotate start --dir fourth --issuer-only --anchor first/anchor.pem --anchor-key first/anchor.key @cluster
         ls second",
    ),
];

/// A cluster whose anchor's key is at hand, before anything was done.
pub(crate) const CROSS_SIGNED: &str = "
    kubectl l5d-rotate start --dir rotation --old-anchor-key other.key @here
    kubectl l5d-rotate start --dir rotation --strategy cross-signed @here
    kubectl l5d-rotate start --dir rotation --old-anchor-key old.key @here
    ls -A rotation
    kubectl l5d-rotate plan --dir rotation @here
    kubectl l5d-rotate simulate --dir rotation @here
    kubectl l5d-rotate simulate --dir rotation --order issuer,remove-cross,prune @here
    kubectl l5d-rotate render bundle --dir rotation @here
    kubectl l5d-rotate render remove-cross --dir rotation @here
";

/// The same cluster when old workload certificates have expired and the new anchor is published: workloads restart on their
/// own.
pub(crate) const FOLLOWING: &str = "
    kubectl l5d-rotate status --dir rotation @here
    kubectl l5d-rotate next --dir rotation @here
    kubectl l5d-rotate plan --rollback --dir rotation @here
    kubectl l5d-rotate render prune --step 1 --rollback --dir rotation @here
    kubectl l5d-rotate render issuer --step 1 --rollback --dir rotation @here
";

/// A rotation whose key is at hand, at the time of its issuer phase.
pub(crate) const ISSUER: &str = "
    kubectl l5d-rotate status --dir rotation @here
    kubectl l5d-rotate render issuer --step 1 --dir rotation @here
    kubectl l5d-rotate diff issuer --step 1 --dir rotation @here
    kubectl l5d-rotate render issuer --step 1 --out rotate --dir rotation @here
    find rotate -type f | sort
    git init -q && kubectl l5d-rotate render issuer --step 1 --out committed --dir rotation @here
    ls
    cp rotation/anchor.key other.key && kubectl l5d-rotate render issuer --step 1 --dir rotation --issuer-key other.key @here
";
