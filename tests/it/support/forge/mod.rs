//! A forge on disk, and a runner for its jobs: real Git repositories with a bare remote, the real kubectl and an API server on the
//! loopback, the real program. `gh` and `curl` stand in for what would leave the machine: they keep comments and pull requests in files.

pub(crate) mod actions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::layouts::deployed::{Made, deploy, workloads};
use crate::layouts::{Declared, RENDERED, text};
use crate::live_commands::{answers, objects};
use crate::runner;
use crate::support::api_server::Server;

/// What `gh` does here: pull requests in `pulls.json`, their comments in `comments.json`, its calls in `calls`.
const GH: &str = r##"
set -eu
cd "$FORGE"
echo "gh $*" >>calls
what="$1 $2"
number= id=
case $what in
  "api --paginate") what="api list" ;;
  "api --method") what="api $3"; shift; id=${3##*/} ;;
  "pr edit") number=$3 ;;
esac
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --jq) jq=$2 ;; --dir) dir=$2 ;; --head) head=$2 ;; --title) title=$2 ;; --body-file) body=$2 ;;
    --field) body=${2#body=@} ;;
    *) shift; continue ;;
  esac
  shift 2
done
put() { jq "$@" >new && mv new "$file"; }
case $what in
  "run list") at=$(date -u +%Y-%m-%dT%H:%M:%SZ); [ ! -f old ] || at=2026-01-01T00:00:00Z
    jq -n --arg at "$at" '[{databaseId: 7, createdAt: $at}]' | jq -r "$jq" ;;
  "run download") mkdir -p "$dir" && cp mesh.yaml "$dir" ;;
  "api list") jq -r "$jq" comments.json ;;
  "api POST") file=comments.json; put --rawfile b "$body" '. + [{id: (length + 11), user: {type: "Bot"}, body: $b}]' $file ;;
  "api PATCH") file=comments.json; put --rawfile b "$body" --argjson id "$id" 'map(if .id == $id then .body = $b else . end)' $file ;;
  "pr list") jq --arg h "$head" 'map(select(.head == $h)) | reverse | .[:1]' pulls.json | jq -r "$jq" ;;
  "pr create") file=pulls.json; put --rawfile b "$body" --arg h "$head" --arg t "$title" \
    '. + [{number: (length + 1), state: "OPEN", head: $h, title: $t, body: $b}]' $file ;;
  "pr edit") file=pulls.json; put --rawfile b "$body" --argjson n "$number" 'map(if .number == $n then .body = $b else . end)' $file ;;
  *) echo "no answer to $what" >&2; exit 1 ;;
esac
"##;

/// What `curl` does here: the release's archive, and GitLab's API over the same files.
const CURL: &str = r##"
set -eu
cd "$FORGE"
echo "curl $*" >>calls
method=GET output= url= config= body= branch= title=
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2; shift ;; --retry) shift ;; --request) method=$2; shift ;; --config) config=$(cat); shift ;;
    --data-urlencode)
      case $2 in
        body@* | description@*) body=${2#*@} ;;
        source_branch=*) branch=${2#*=} ;; title=*) title=${2#*=} ;; target_branch=main) ;;
        *) echo "no such field: $2" >&2; exit 1 ;;
      esac
      shift ;;
    -*) ;;
    *) url=$1 ;;
  esac
  shift
done
case $url in
  */releases/download/v0.1.0/kubectl-l5d_rotate-v0.1.0-linux-amd64.tar.gz) cp archive.tar.gz "$output"; exit ;;
esac
[ "$config" = 'header = "PRIVATE-TOKEN: glpat-x"' ] || { echo "no token" >&2; exit 22; }
put() { jq "$@" >new && mv new "$file"; }
case "$method ${url#https://gitlab.example.test/api/v4/projects/5/}" in
  "GET merge_requests/3/notes?per_page=100&page=1") cat comments.json ;;
  "POST merge_requests/3/notes") file=comments.json; put --rawfile b "$body" '. + [{id: (length + 11), body: $b}]' $file ;;
  "PUT merge_requests/3/notes/"*) file=comments.json
    put --rawfile b "$body" --argjson id "${url##*/}" 'map(if .id == $id then .body = $b else . end)' $file ;;
  "GET merge_requests?source_branch="*) branch=${url#*source_branch=}; branch=${branch%%&*}
    jq --arg h "$branch" 'map(select(.head == $h) | .iid = .number | .state = ({OPEN: "opened", CLOSED: "closed"}[.state])) | reverse' pulls.json ;;
  "POST merge_requests") file=pulls.json; put --rawfile b "$body" --arg h "$branch" --arg t "$title" \
    '. + [{number: (length + 1), state: "OPEN", head: $h, title: $t, body: $b}]' $file ;;
  "PUT merge_requests/"*) file=pulls.json
    put --rawfile b "$body" --argjson n "${url##*/}" 'map(if .number == $n then .body = $b else . end)' $file ;;
  *) echo "no answer to $method $url" >&2; exit 22 ;;
esac
"##;

pub(crate) struct Forge {
    home: tempfile::TempDir,
    pub(crate) cluster: Cluster,
    served: Arc<Mutex<Vec<Value>>>,
    pub(crate) server: Server,
}

impl Forge {
    /// A repository that declares the mesh of a cluster, with a rotation that has begun. `None`, said by name, where a program is missing.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !runner::has(test, &["kubectl", "git", "jq", "tar", "bash"]) {
            return None;
        }
        let cluster = Cluster::new();
        let served = Arc::new(Mutex::new(objects(&cluster)));
        let shown = Arc::clone(&served);
        let server = Server::start(move |target| answers(shown.lock().unwrap().clone())(target));
        let forge = Self { home: tempfile::tempdir().unwrap(), cluster, served, server };
        for directory in ["bin", "temp", "forge"] {
            fs::create_dir(forge.at(directory)).unwrap();
        }
        runner::write_script(&forge.at("bin/gh"), GH);
        runner::write_script(&forge.at("bin/curl"), CURL);
        for list in ["pulls", "comments"] {
            fs::write(forge.at("forge").join(format!("{list}.json")), "[]").unwrap();
        }
        forge.pack();
        forge.begin();
        Some(forge)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The release's archive: the program, as of the cluster's time.
    fn pack(&self) {
        let stage = self.at("stage");
        fs::create_dir(&stage).unwrap();
        let now = self.at("now");
        let program = format!("exec '{}' \"$@\" --at \"$(cat '{}')\"", runner::PLUGIN, now.display());
        runner::write_script(&stage.join("kubectl-l5d_rotate"), &program);
        self.sh(&self.at("forge"), "tar -czf archive.tar.gz -C ../stage kubectl-l5d_rotate");
    }

    /// The checksum that users write into their workflow.
    pub(crate) fn checksum(&self) -> String {
        let sum = self
            .sh(&self.at("forge"), "sha256sum archive.tar.gz 2>/dev/null || shasum -a 256 archive.tar.gz");
        sum.split(' ').next().unwrap().to_owned()
    }

    fn begin(&self) {
        self.tell_time();
        let files = (RENDERED[1].1)(&Declared::of(&self.cluster));
        let all = text(&workloads(&self.cluster, Made::ByManifests));
        self.sh(
            self.home.path(),
            "git init -q --bare -b main origin.git && git clone -q origin.git desk 2>&1",
        );
        for (name, text) in files.into_iter().chain([("workloads.yaml".to_owned(), all)]) {
            let path = self.at("desk").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(self.at("dump.json"), self.cluster.dump()).unwrap();
        let start = "git add -A && ../stage/kubectl-l5d_rotate start --dir rotation -f ../dump.json >&2 && git add -A && \
            git commit -q -m start && git push -q origin HEAD:main";
        self.sh(&self.at("desk"), start);
    }

    /// What the program takes for now, and what the API server answers.
    fn tell_time(&self) {
        fs::write(self.at("now"), self.cluster.now.to_string()).unwrap();
        *self.served.lock().unwrap() = objects(&self.cluster);
    }

    pub(crate) fn wait(&mut self, duration: SignedDuration) {
        self.cluster.wait(duration);
        self.tell_time();
    }

    /// Merges a branch, and applies what `main` declares then.
    pub(crate) fn merge(&mut self, branch: &str) {
        let merge = format!(
            "git fetch -q origin && git reset -q --hard origin/main && git merge -q --no-edit origin/{branch} && \
            git push -q origin HEAD:main"
        );
        self.sh(&self.at("desk"), &merge);
        let desk = self.at("desk");
        deploy(&mut self.cluster, &desk, None);
        self.wait(SignedDuration::from_mins(30));
        let mut pulls = self.pulls();
        for pull in pulls.as_array_mut().unwrap().iter_mut().filter(|pull| pull["head"] == branch) {
            pull["state"] = json!("MERGED");
        }
        self.put("pulls", &pulls);
    }

    /// A line of a shell, which succeeds.
    pub(crate) fn sh(&self, directory: &Path, line: &str) -> String {
        let output = self.command("sh").args(["-ec", line]).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A program whose PATH begins with the stand-ins, and who is somebody to Git.
    fn command(&self, program: &str) -> std::process::Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = runner::other(program);
        command.env("PATH", format!("{}:{path}", self.at("bin").display()));
        command.env("HOME", self.home.path()).env("FORGE", self.at("forge")).env_remove("L5D_ROTATE_DIR");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "a colleague")
                .env(format!("GIT_{role}_EMAIL"), "c@example.test");
        }
        command
    }

    /// A script of a job as a runner starts it: in a file, with bash.
    pub(crate) fn script(&self, script: &str, environment: &[(String, String)], path: &str) -> Output {
        let file = self.at("temp/script.sh");
        fs::write(&file, script).unwrap();
        let mut bash = self.command("bash");
        // A job is nobody to Git.
        for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            bash.env_remove(name);
        }
        bash.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(file).current_dir(self.at("work"));
        bash.envs(environment.iter().cloned());
        let rest = std::env::var("PATH").unwrap_or_default();
        bash.env("PATH", format!("{path}{}:{rest}", self.at("bin").display()));
        bash.output().unwrap()
    }

    /// A fresh clone, at this revision.
    pub(crate) fn check_out(&self, revision: &str) {
        let line = format!(
            "rm -rf work temp && mkdir temp && git clone -q origin.git work && cd work && git switch -q --detach {revision}"
        );
        self.sh(self.home.path(), &line);
    }

    /// A branch `change` off main, with these edits by `sed` in the manifests.
    pub(crate) fn propose(&self, line: &str) {
        let whole = format!(
            "git fetch -q origin && git switch -q --force-create change origin/main && {line} && git add -A && git commit -q -m change && \
             git push -q --force origin change"
        );
        self.sh(&self.at("desk"), &whole);
    }

    fn list(&self, name: &str) -> Value {
        let text = fs::read(self.at("forge").join(format!("{name}.json"))).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub(crate) fn put(&self, name: &str, list: &Value) {
        fs::write(self.at("forge").join(format!("{name}.json")), list.to_string()).unwrap();
    }

    pub(crate) fn pulls(&self) -> Value {
        self.list("pulls")
    }

    pub(crate) fn comments(&self) -> Vec<String> {
        let list = self.list("comments");
        list.as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }

    /// The commit of a branch of the remote; empty where there is none.
    pub(crate) fn tip(&self, branch: &str) -> String {
        self.sh(
            self.home.path(),
            &format!("git -C origin.git rev-parse --quiet --verify refs/heads/{branch} || true"),
        )
    }

    /// What the stand-ins were asked.
    pub(crate) fn calls(&self) -> String {
        fs::read_to_string(self.at("forge/calls")).unwrap_or_default()
    }
}

/// Everything that was said, for a failure.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
