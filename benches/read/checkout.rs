//! What a pull request costs: `verify --git-base` in a checkout of 2,000 files, most of which have nothing to do with Linkerd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::judge::{AT, PROGRAM, print};

/// Teams, each with a kustomization that both clusters deploy, and the files of one.
const TEAMS: usize = 200;
const KINDS: [&str; 9] = [
    "Deployment",
    "Service",
    "ConfigMap",
    "ServiceAccount",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
];
/// The two clusters of Flux that they stand beside.
const FLUX: &str = "testdata/checkouts/flux";
const OVERLAY: &str = "infrastructure/production/linkerd.yaml";
/// A new anchor.
const ANCHOR: &str = "testdata/rotation/anchor.pem";

/// Commits the files, and verifies changes of them: one of a team's, one that adds an anchor, one that exchanges it, and one of twenty teams'.
pub(crate) fn compare(dir: &Path) {
    let dir = dir.join("checkout");
    copy(Path::new(FLUX), &dir);
    for team in 0..TEAMS {
        add_team(&dir, team);
    }
    git(&dir, &["init", "-q"]);
    git(&dir, &["add", "-A"]);
    git(&dir, &["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "base"]);
    println!("a checkout of {} files", files(&dir).len());

    let overlay = fs::read_to_string(dir.join(OVERLAY)).unwrap();
    let anchor: String =
        fs::read_to_string(ANCHOR).unwrap().lines().map(|line| format!("      {line}\n")).collect();
    let old = overlay.find("      -----BEGIN").unwrap();
    let image = |team| (deployment(team), text(team, "Deployment").replace("1.42.0", "1.43.0"));
    for (name, changed) in [
        ("a team's image", vec![image(7)]),
        ("an anchor more", vec![(OVERLAY.to_owned(), format!("{overlay}{anchor}"))]),
        ("another anchor", vec![(OVERLAY.to_owned(), format!("{}{anchor}", &overlay[..old]))]),
        ("20 teams' images", (0..20).map(image).collect()),
    ] {
        for (path, text) in &changed {
            fs::write(dir.join(path), text).unwrap();
        }
        let mut verify = Command::new(PROGRAM);
        verify.current_dir(&dir).args(["verify", "--git-base", "HEAD", "-f", ".", "-R", "--at", AT]);
        verify.stderr(Stdio::null());
        print(vec![(name.to_owned(), verify)]);
        git(&dir, &["checkout", "-q", "."]);
    }
}

fn git(dir: &Path, arguments: &[&str]) {
    assert!(Command::new("git").current_dir(dir).args(arguments).status().unwrap().success());
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
}

/// All files below a directory but Git's own.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".git") {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()))
        } else {
            found.push(entry.path())
        }
    }
    found
}

fn add_team(dir: &Path, team: usize) {
    let own = dir.join(format!("apps/team-{team:03}"));
    fs::create_dir_all(&own).unwrap();
    let mut kustomization =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n".to_owned();
    for kind in KINDS {
        let name = format!("{}.yaml", kind.to_lowercase());
        fs::write(own.join(&name), text(team, kind)).unwrap();
        kustomization += &format!("- {name}\n");
    }
    fs::write(own.join("kustomization.yaml"), kustomization).unwrap();
    for cluster in ["production", "staging"] {
        let deployed = format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: team-{team:03}\n  \
             namespace: flux-system\nspec:\n  interval: 10m\n  path: ./apps/team-{team:03}\n  prune: true\n  sourceRef:\n    \
             kind: GitRepository\n    name: flux-system\n"
        );
        fs::write(dir.join(format!("clusters/{cluster}/team-{team:03}.yaml")), deployed).unwrap();
    }
}

fn deployment(team: usize) -> String {
    format!("apps/team-{team:03}/deployment.yaml")
}

/// An object of a team.
fn text(team: usize, kind: &str) -> String {
    let (name, group) = (
        format!("team-{team:03}"),
        match kind {
            "Deployment" => "apps/v1",
            "HorizontalPodAutoscaler" => "autoscaling/v2",
            "PodDisruptionBudget" => "policy/v1",
            "NetworkPolicy" => "networking.k8s.io/v1",
            "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
            _ => "v1",
        },
    );
    let head = format!(
        "apiVersion: {group}\nkind: {kind}\nmetadata:\n  name: web\n  namespace: {name}\n  labels:\n    app.kubernetes.io/name: web\n"
    );
    let rest = match kind {
        "Deployment" => {
            let env: String = (0..20)
                .map(|at| format!("        - name: SETTING_{at}\n          value: https://settings.{name}.svc:8443/{at}\n"))
                .collect();
            format!(
                "spec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: web\n  template:\n    metadata:\n      \
                 labels:\n        app.kubernetes.io/name: web\n      annotations:\n        linkerd.io/inject: enabled\n    spec:\n      \
                 containers:\n      - name: web\n        image: registry.example.com/{name}/web:1.42.0\n        env:\n{env}"
            )
        }
        "ConfigMap" => {
            (0..20).fold("data:\n".to_owned(), |text, at| text + &format!("  setting-{at}: 'on'\n"))
        }
        "Service" => "spec:\n  ports:\n  - name: http\n    port: 80\n".to_owned(),
        _ => String::new(),
    };
    head + &rest
}
