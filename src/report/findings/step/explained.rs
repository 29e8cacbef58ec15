//! Each code about a step, explained.

use super::super::Explanation;

pub(in crate::report::findings) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "anchors-refuse-issuer",
        means: "The step takes anchors out of the bundle, and the anchors that stay did not sign the \
            issuer in the Secret.",
        matters: "An identity controller verifies its issuer against the published bundle when it starts. \
            With such a bundle it fails to start, and no workload certificate is issued any more.",
        act: "Take phase `issuer` first: the new issuer must be in the Secret before the old anchor goes.",
        example: "kubectl l5d-rotate render issuer --step 1 --dir rotation",
        source: "linkerd2 `controller/cmd/identity/main.go`: the issuer is verified at the start.",
    },
    Explanation {
        code: "applied-from-git",
        means: "The objects of the step are applied from Git by Argo CD or a Flux Kustomization.",
        matters: "A patch made with kubectl would be reverted at the next sync.",
        act: "Commit the rendered documents where these are applied from.",
        example: "kubectl l5d-rotate render bundle --step 1 --out overlays/linkerd --dir rotation",
        source: "Argo CD and Flux apply what is in Git again at every sync.",
    },
    Explanation {
        code: "bundle-loaded-by-time",
        means: "With strategy `cross-signed` nobody is restarted for the new anchor: workloads load it \
            when they restart for another reason.",
        matters: "The cross certificate carries those that hold the old anchor alone, and it expires with \
            the old anchor.",
        act: "Wait for ordinary deployments, or restart the rest with --restart-data-plane before the \
            instant that is named.",
        example: "kubectl l5d-rotate render prune --step 3 --restart-data-plane --dir rotation",
        source: "linkerd2 `pkg/tls`: `findFirstExpiration` caps a workload certificate at the first \
            certificate of the issuer's file that expires.",
    },
    Explanation {
        code: "bundle-refuses-issuer",
        means: "No anchor in the published bundle signed the issuer that the step puts into the Secret.",
        matters: "The identity controller skips such an issuer (event IssuerUpdateSkipped), and fails at \
            its next start.",
        act: "Publish the anchor of the new issuer first, and restart the control plane.",
        example: "kubectl l5d-rotate render bundle --step 1 --dir rotation",
        source: "linkerd2#8018, linkerd2#8282.",
    },
    Explanation {
        code: "ca-crt-outdated",
        means: "The issuer Secret has scheme `kubernetes.io/tls`, and its `ca.crt` still holds anchors \
            that the step takes away.",
        matters: "`linkerd check` and `linkerd upgrade` read the anchors from there.",
        act: "Render the named step again once this one is merged: it writes `ca.crt` anew.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o jsonpath='{.data.ca\\.crt}'",
        source: "linkerd2 `pkg/issuercerts`: `FetchExternalIssuerData`.",
    },
    Explanation {
        code: "certificate-not-begun",
        means: "A certificate of the rotation is so young that a node whose clock is behind may not take \
            it for valid yet.",
        matters: "Whoever reads it too early rejects it.",
        act: "Wait until the instant that is named.",
        example: "kubectl l5d-rotate inspect rotation/issuer.pem",
        source: "RFC 5280, section 4.1.2.5; Linkerd's clockSkewAllowance (20 s by default).",
    },
    Explanation {
        code: "certificates-refused",
        means: "Proxies present, or may still present, a workload certificate of an issuer that the \
            remaining anchors did not sign.",
        matters: "A proxy that starts with the remaining anchors alone rejects them: connections fail.",
        act: "Restart them, so that they get a certificate of the new issuer, or wait until the old \
            certificates have expired.",
        example: "kubectl l5d-rotate render issuer --step 3 --dir rotation",
        source: "linkerd2#4287: the old anchor was removed too early.",
    },
    Explanation {
        code: "certificates-renewed-by-time",
        means: "The strategy restarts no workload after the issuer was replaced.",
        matters: "Proxies renew their certificates by themselves; the old ones expire within the issuance \
            lifetime.",
        act: "Wait. --restart-data-plane renders a restart for those who do not want to.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "linkerd2-proxy `identity-client/src/certify.rs`: a certificate is renewed at 70 % of its \
            lifetime.",
    },
    Explanation {
        code: "containers-not-seen",
        means: "The input has pods, and none of them runs the containers that this step is about.",
        matters: "Whether they have loaded a change cannot be told.",
        act: "Read the cluster, or add the pods of the control plane.",
        example: "kubectl get pods -n linkerd -o json | kubectl l5d-rotate plan --dir rotation -f - -f \
            manifests.yaml",
        source: "Kubernetes: `status.containerStatuses[].state.running.startedAt`.",
    },
    Explanation {
        code: "control-plane-lacks-bundle",
        means: "Containers of the control plane started before the published bundle last changed.",
        matters: "An identity controller reads its anchors once, when it starts: with older ones it skips \
            the new issuer.",
        act: "Restart the control plane.",
        example: "kubectl rollout restart deployment -n linkerd",
        source: "linkerd2#9022, linkerd2#8018.",
    },
    Explanation {
        code: "cross-expired",
        means: "The cross certificate behind the new issuer has expired before it was taken away.",
        matters: "Every workload certificate was cut to end with it, so that no two proxies work together, also those that hold the \
            new anchor.",
        act: "Put the issuer without the cross certificate into the Secret: the published anchors accept it. Then restart the \
            identity controller, linkerd-destination and everything else, in this order.",
        example: "kubectl l5d-rotate render remove-cross --step 1 --dir rotation",
        source: "Seen with linkerd2 2.20 and linkerd2-proxy v2.359.0; linkerd2 `pkg/tls` (`findFirstExpiration`).",
    },
    Explanation {
        code: "cross-expires-soon",
        means: "The cross certificate would expire before everyone can do without it.",
        matters: "No workload certificate outlives the cross certificate beside its issuer.",
        act: "Start a rotation with strategy `staged`; in a rollback, continue the rotation.",
        example: "kubectl l5d-rotate start --strategy staged --dir other",
        source: "linkerd2 `pkg/tls`: `findFirstExpiration`.",
    },
    Explanation {
        code: "downtime",
        means: "The step belongs to a recovery, and breaks connections while it is taken.",
        matters: "What was in use has expired: there is no order of steps without downtime.",
        act: "Restart quickly, and everything.",
        example: "kubectl l5d-rotate recover",
        source: "Linkerd, \"Replacing expired certificates\".",
    },
    Explanation {
        code: "expired-anchor-returns",
        means: "The step would publish an expired anchor again that is not in the bundle any more.",
        matters: "`linkerd check` fails on an expired anchor, and nothing needs it.",
        act: "Archive this rotation: another one has superseded it.",
        example: "kubectl l5d-rotate status",
        source: "`linkerd check`: l5d-identity-trustAnchors-are-time-valid.",
    },
    Explanation {
        code: "external-workloads-first",
        means: "ExternalWorkloads run their proxies outside the cluster, where their trust bundle and \
            certificates cannot be seen.",
        matters: "The step breaks those that are not prepared.",
        act: "Prepare them, then confirm it.",
        example: "kubectl get externalworkloads -A",
        source: "Linkerd, \"Adding non-Kubernetes workloads\": the anchors are in the proxy's environment.",
    },
    Explanation {
        code: "identity-handover",
        means: "A new identity controller has just started, and the pod that it replaces may still answer.",
        matters: "Whoever restarts now may get a certificate of the old issuer, and would have to restart \
            again.",
        act: "Wait until the instant that is named.",
        example: "kubectl get pods -n linkerd -l linkerd.io/control-plane-component=identity",
        source: "Kubernetes: a replaced pod answers until its successor is ready and its grace period has \
            passed.",
    },
    Explanation {
        code: "identity-signs-refused",
        means: "An identity controller signs, or may still sign, with an issuer that the remaining \
            anchors did not sign.",
        matters: "It may have missed the change of the Secret; the certificates that it issues are rejected.",
        act: "Restart the identity controller.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "linkerd2#15109: a reload of the issuer can be missed.",
    },
    Explanation {
        code: "injector-not-running",
        means: "No container of the proxy injector runs.",
        matters: "Pods that restart are created without a proxy (failurePolicy Ignore), or not at all \
            (Fail).",
        act: "Start the injector first.",
        example: "kubectl get pods -n linkerd -l linkerd.io/control-plane-component=proxy-injector",
        source: "Linkerd's MutatingWebhookConfiguration `linkerd-proxy-injector-webhook-config`.",
    },
    Explanation {
        code: "intermediates-in-file",
        means: "The issuer's file holds more certificates than the issuer.",
        matters: "The identity controller hands them to every proxy with its certificate, and the first \
            that expires caps it.",
        act: "Nothing; know it.",
        example: "kubectl l5d-rotate inspect rotation/issuer-chain.pem",
        source: "linkerd2 `pkg/tls`: `DecodePEMCrt`.",
    },
    Explanation {
        code: "issuer-secret-unknown",
        means: "The issuer in the Secret could not be read.",
        matters: "Which issuer an identity controller loads at its next start is not known.",
        act: "Give the Secret in the input, or the right to read it.",
        example: "kubectl l5d-rotate rbac",
        source: "linkerd2 `controller/cmd/identity/main.go` reads the Secret; `linkerd-config` holds a \
            copy of the last render.",
    },
    Explanation {
        code: "lifetime-assumed",
        means: "Neither the identity controller's Deployment nor ConfigMap `linkerd-config` was read, which tell how long workload \
            certificates are valid.",
        matters: "The step, or the change, is safe once workload certificates of the old issuer have expired. Where they are valid \
            for longer than Linkerd's default, some are still in use when the old anchor is removed.",
        act: "Let the input have one of the two objects, or the right to read it.",
        example: "kubectl get deployment linkerd-identity -n linkerd -o yaml",
        source: "Linkerd's chart: `identity.issuer.issuanceLifetime`, the argument `-identity-issuance-lifetime`.",
    },
    Explanation {
        code: "linked-clusters-first",
        means: "Clusters that are linked share the trust of this one, and their proxies cannot be seen here.",
        matters: "The step breaks connections between clusters that are not prepared.",
        act: "Take the other clusters as far, then confirm it.",
        example: "kubectl get links -A",
        source: "Linkerd multicluster: clusters verify each other with their own trust bundles.",
    },
    Explanation {
        code: "managed-object",
        means: "Helm, the linkerd CLI, cert-manager or another controller renders the object.",
        matters: "It would revert a patch: at its next upgrade, or at once.",
        act: "Make the change where it is rendered from.",
        example: "helm get values linkerd-control-plane -n linkerd",
        source: "Owner references, labels and annotations of the object.",
    },
    Explanation {
        code: "mount-outdated",
        means: "An object has just changed that containers read from a mounted volume when they start.",
        matters: "A pod that is created within ten seconds of the change may still be given the old content, and must \
            start again.",
        act: "Wait until the instant that is named.",
        example: "kubectl get configmap linkerd-identity-trust-roots -n linkerd -o yaml \
            --show-managed-fields",
        source: "Kubernetes, \"Mounted ConfigMaps are updated automatically\".",
    },
    Explanation {
        code: "phase-superseded",
        means: "A later phase is published, and has taken anchors of this one away.",
        matters: "Rendering the step again would bring them back.",
        act: "Continue with the later phase.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "The published bundle is the one of the later phase.",
    },
    Explanation {
        code: "pods-confirmed",
        means: "A human confirmed that every pod of the mesh is in the input.",
        matters: "The verdicts rest on it.",
        act: "Nothing, if it is so.",
        example: "kubectl get pods -A -o json",
        source: "--confirm all-pods-seen",
    },
    Explanation {
        code: "present-issuer-expired",
        means: "The issuer in the Secret, or the anchor that signed it, has expired.",
        matters: "No workload certificate is issued any more, and no restart mends that: only a new \
            issuer does.",
        act: "Render the named steps with --force, then restart everything. This takes downtime.",
        example: "kubectl l5d-rotate recover",
        source: "Linkerd, \"Replacing expired certificates\".",
    },
    Explanation {
        code: "proxies-not-ready",
        means: "Running proxies hold a trust bundle without the anchor of the new issuer.",
        matters: "They reject workload certificates of the new issuer, of their peers and their own.",
        act: "Publish the new anchor, and restart them, before the issuer changes.",
        example: "kubectl l5d-rotate render bundle --step 3 --dir rotation",
        source: "linkerd2-proxy reads its bundle once, from its environment; linkerd2#8018.",
    },
    Explanation {
        code: "proxies-without-identity",
        means: "Some proxies run with identity disabled.",
        matters: "They hold no bundle and no certificate, and a rotation does not concern them.",
        act: "Nothing; know it.",
        example: "kubectl get pods -A -o yaml | grep LINKERD2_PROXY_IDENTITY_DISABLED",
        source: "Linkerd up to 2.11: annotation `linkerd.io/identity-mode`.",
    },
    Explanation {
        code: "renewal-due",
        means: "cert-manager is about to renew the anchor or the issuer.",
        matters: "It would replace what the step puts in place, or what the step rests on, before \
            everyone has loaded it.",
        act: "Let it renew first, or suspend it until the rotation is finished, then confirm it.",
        example: "kubectl get certificates -A",
        source: "cert-manager: `status.renewalTime` of a Certificate.",
    },
    Explanation {
        code: "renewal-time",
        means: "How long certificates of the replaced issuer can be valid.",
        matters: "Until then the old anchor must stay in the bundle, unless every proxy restarts.",
        act: "Wait, or restart.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "linkerd2 `pkg/tls`: `Validity.Window`; `identity.issuer.issuanceLifetime` and \
            `clockSkewAllowance`.",
    },
    Explanation {
        code: "restart-activates-issuer",
        means: "The Secret holds an issuer that the running identity controller has not loaded, and a \
            restart loads it.",
        matters: "Proxies that hold a bundle without its anchor reject their next certificate.",
        act: "Put back the issuer that signs now, and publish the anchor first.",
        example: "kubectl l5d-rotate check",
        source: "linkerd2#8018: the running controller skips an issuer that its anchors do not accept.",
    },
    Explanation {
        code: "restart-confirmed",
        means: "A human confirmed that the control plane has started since an object last changed.",
        matters: "The verdicts rest on it.",
        act: "Nothing, if it is so.",
        example: "kubectl get pods -n linkerd",
        source: "--confirm control-plane-restarted",
    },
    Explanation {
        code: "restart-refuses-requests",
        means: "Proxies may still have a workload certificate that the published bundle does not accept, and the step restarts \
            the identity pods with that bundle.",
        matters: "To renew, a proxy connects with the certificate that it has. Once the identity pods' own proxies reject it, it \
            cannot renew any more, and only a restart helps.",
        act: "Wait until workload certificates have been renewed, or put the anchor back into the bundle first.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "Seen with linkerd2 2.20 and linkerd2-proxy v2.359.0.",
    },
    Explanation {
        code: "restart-splits-control-plane",
        means: "The step restarts the control plane, whose running proxies do not accept the issuer in the Secret.",
        matters: "Identity controllers that restart sign with that issuer. Until the last pod of the control plane has restarted, \
            those that have and those that have not reject each other: pods that start or renew meanwhile may fail. \
            `simulate` shows it as a violation.",
        act: "No other step leads on. Merge it at a quiet time, and wait for the rollouts. Next time merge the issuer after the \
            restarts of phase bundle.",
        example: "kubectl l5d-rotate simulate --dir rotation",
        source: "linkerd2 `controller/cmd/identity/main.go` loads the issuer at the start; proxies read their anchors at theirs.",
    },
    Explanation {
        code: "restart-stops-identity",
        means: "The published bundle does not accept the issuer in the Secret.",
        matters: "An identity controller that restarts exits, and no workload certificate is issued any \
            more.",
        act: "Mend the bundle or the issuer before anything restarts.",
        example: "kubectl l5d-rotate check",
        source: "linkerd2 `controller/cmd/identity/main.go`: the issuer is verified at the start.",
    },
    Explanation {
        code: "restarted-by-install",
        means: "Templates of the control plane change with the bundle's value, so that an upgrade \
            restarts them.",
        matters: "A restart annotation of our own is not needed.",
        act: "Change the value where Linkerd is installed from.",
        example: "helm upgrade linkerd-control-plane linkerd/linkerd-control-plane -n linkerd \
            --reuse-values --set-file identityTrustAnchorsPEM=rotation/trust-bundle.pem",
        source: "Annotation `linkerd.io/trust-root-sha256` on pod templates, since 2.12 (linkerd2#9022).",
    },
    Explanation {
        code: "restart-unchanged",
        means: "The pod templates of some workloads carry the restart of this step already, while their pods are not as the \
            step leaves them.",
        matters: "Either the rollouts still run, or the pods started too early. Then the same annotation again restarts nothing.",
        act: "Wait for the rollouts. What is left then restarts manually.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "Kubernetes rolls a Deployment when its pod template changes.",
    },
    Explanation {
        code: "restarts-assumed",
        means: "The input does not tell which workloads need the restart, so all of them are taken.",
        matters: "More restarts than needed are rendered.",
        act: "Read the cluster, or add the pods.",
        example: "kubectl get pods -A -o json",
        source: "Only running pods tell which bundle a proxy holds.",
    },
    Explanation {
        code: "rotation-expired",
        means: "A certificate that the rotation needs has expired.",
        matters: "No step of it brings the mesh any further.",
        act: "Start a new rotation; in a rollback, continue the rotation.",
        example: "kubectl l5d-rotate start --dir other",
        source: "RFC 5280, section 4.1.2.5.",
    },
    Explanation {
        code: "start-time-unknown",
        means: "The input does not say when some containers started.",
        matters: "Whether they have loaded a change cannot be told.",
        act: "Read the cluster, or pods with their status.",
        example: "kubectl get pods -A -o json",
        source: "Kubernetes: `status.containerStatuses[].state.running.startedAt`.",
    },
    Explanation {
        code: "started-too-early",
        means: "Containers started so soon after an object changed that they may have read it as it was.",
        matters: "Kubernetes tells times in whole seconds, a kubelet brings a change up to two minutes late into a pod that \
            was there before, and up to ten seconds late into one that is created after it.",
        act: "Restart them again. Or confirm it with --confirm control-plane-restarted, if you know better.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "Kubernetes, \"Mounted ConfigMaps are updated automatically\"; `pkg/kubelet/util/manager`.",
    },
    Explanation {
        code: "step-order",
        means: "An earlier step of the rotation is not done.",
        matters: "Each step is safe only when the one before it is done.",
        act: "Take the earlier step first.",
        example: "kubectl l5d-rotate next --dir rotation",
        source: "Linkerd, \"Manually rotating control plane TLS credentials\".",
    },
    Explanation {
        code: "step-order-unknown",
        means: "Whether an earlier step is done cannot be told from the input.",
        matters: "Each step is safe only when the one before it is done.",
        act: "Give the input that is missing.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "Linkerd, \"Manually rotating control plane TLS credentials\".",
    },
    Explanation {
        code: "unknown-anchors",
        means: "The published bundle holds anchors that this rotation does not know, and the step would \
            take them away.",
        matters: "Another rotation, or another cluster, may rely on them.",
        act: "Remove them in a commit of their own, or finish the other rotation first. Where cert-manager has renewed an anchor on the \
              way, start another rotation in another directory: it knows all that is published.",
        example: "kubectl l5d-rotate inspect -f cluster.yaml",
        source: "linkerd2#4287.",
    },
    Explanation {
        code: "upgrade-not-judged",
        means: "ConfigMap `linkerd-config` was not read, so which trust anchors the next upgrade of Linkerd publishes is not known.",
        matters: "If they do not accept the new issuer, the identity controller fails at its next start after the upgrade.",
        act: "Let the input have the ConfigMap, or the right to read it. Or look at the value that is named, where Linkerd is \
            installed from, and confirm that it holds the published anchors.",
        example: "kubectl l5d-rotate next --confirm upgrade-keeps-bundle",
        source: "Linkerd's chart renders the bundle from `identityTrustAnchorsPEM`, and keeps its values in `linkerd-config`.",
    },
    Explanation {
        code: "upgrade-reverts-bundle",
        means: "ConfigMap `linkerd-config` holds other trust anchors than the published bundle, and they \
            do not accept the new issuer.",
        matters: "The next `helm upgrade` or `linkerd upgrade` publishes them again, and the identity \
            controller fails at its next start.",
        act: "Put the published anchors into the value that is named.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "Linkerd's chart renders the bundle from `identityTrustAnchorsPEM`.",
    },
    Explanation {
        code: "workloads-not-seen",
        means: "Some workloads are known from their pods only.",
        matters: "What keeps a new template from restarting all pods cannot be seen.",
        act: "Add the workloads themselves to the input.",
        example: "kubectl get deployments,statefulsets,daemonsets -A -o yaml",
        source: "Kubernetes: `spec.updateStrategy`, `spec.paused`.",
    },
];
