//! What a rotation leaves to be done manually, done as it is told.

use serde_json::{Value, json};

use super::desk::Desk;

impl Desk {
    /// The step that is next.
    pub(super) fn standing(&self, flags: &str) -> Value {
        let plan = self.json(&format!("plan --dir rotation {flags}"));
        let steps = plan["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == plan["standing"]).cloned().unwrap_or_default()
    }

    /// Does what a step leaves to be done manually; what was done, by the plan's words for it.
    pub(super) fn manually(&mut self, step: &Value) -> Vec<String> {
        let mut done = Vec::new();
        for left in step["manual"].as_array().into_iter().flatten() {
            for act in left["acts"].as_array().unwrap() {
                self.act(&left["object"], act);
                done.push(act.as_str().unwrap_or("lower-partition").to_owned());
            }
        }
        if !done.is_empty() {
            self.settle();
        }
        done
    }

    fn act(&mut self, object: &Value, act: &Value) {
        let field = |name: &str| object[name].as_str().unwrap().to_owned();
        let (kind, namespace, name) = (field("kind"), field("namespace"), field("name"));
        if act.get("lower-partition").is_some() {
            self.declared(&kind, &name)["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0);
            return self.apply();
        }
        match act.as_str().unwrap() {
            "delete-pods" => {
                _ = self.admin(&format!("delete pods -n {namespace} -l app.kubernetes.io/name={name}"))
            }
            "resume" => {
                self.declared(&kind, &name)["spec"]["paused"] = json!(false);
                self.apply();
            }
            "recreate-pod" => {
                self.admin(&format!("delete pod {name} -n {namespace}"));
                self.apply();
            }
            "inject-again" => {
                let roots = self.get("configmap linkerd-identity-trust-roots -n linkerd");
                let bundle = format!("{}\n", roots["data"]["ca-bundle.crt"].as_str().unwrap());
                let template = &mut self.declared(&kind, &name)["spec"]["template"]["spec"];
                let containers = template["containers"].as_array_mut().unwrap();
                let proxy =
                    containers.iter_mut().find(|container| container["name"] == "linkerd-proxy").unwrap();
                let variables = proxy["env"].as_array_mut().unwrap();
                let anchors =
                    |variable: &&mut Value| variable["name"] == "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS";
                variables.iter_mut().find(anchors).unwrap()["value"] = json!(bundle);
                self.apply();
            }
            // The run ends, and its successor begins.
            "await-job" | "await-run" => {
                self.admin(&format!("delete jobs -n {namespace} --all"));
                self.admin(&format!("create job {name}-next --from=cronjob/{name} -n {namespace}"));
            }
            other => panic!("{other} of {kind} {name}"),
        }
    }

    /// Restarts what an answer tells to restart, by the very commands; how many those are.
    pub(super) fn restart_as_told(&self, answer: &str) -> usize {
        let text = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut told: Vec<_> = text
            .split("kubectl rollout restart ")
            .skip(1)
            .map(|rest| rest.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
            .map(|rest| rest.trim_end_matches(['`', '.', ',', ';']).to_owned())
            .collect();
        told.sort();
        told.dedup();
        for command in &told {
            self.admin(&format!("rollout restart {command}"));
        }
        self.settle();
        told.len()
    }

    /// Ordinary deploys: every workload of the data plane restarts, for reasons of its own. What replaces its pods only when somebody
    /// deletes them is left as it is.
    pub(super) fn deploy(&self) {
        for namespace in ["linkerd-viz", "emojivoto", "shop", "logging"] {
            self.admin(&format!("rollout restart deployments,statefulsets,daemonsets -n {namespace}"));
        }
        self.settle();
    }
}
