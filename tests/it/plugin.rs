//! The krew manifest, the archives it promises, and krew itself, which installs them.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use l5d_rotate::command::rbac;
use serde_json::{Value, json};

use crate::runner;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Rust's name of each platform that the manifest has, and krew's.
const PLATFORMS: [(&str, &str, &str); 6] = [
    ("x86_64-unknown-linux-gnu", "linux", "amd64"),
    ("aarch64-unknown-linux-musl", "linux", "arm64"),
    ("x86_64-apple-darwin", "darwin", "amd64"),
    ("aarch64-apple-darwin", "darwin", "arm64"),
    ("x86_64-pc-windows-msvc", "windows", "amd64"),
    ("aarch64-pc-windows-msvc", "windows", "arm64"),
];

fn has_gnu_tar(test: &str) -> bool {
    let is_gnu = |program: &str| {
        Command::new(program).arg("--version").output().is_ok_and(|out| text(&out.stdout).contains("GNU tar"))
    };
    let found = is_gnu("gtar") || is_gnu("tar");
    if !found {
        println!("skipped: {test}: no GNU tar");
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Packs `binary` for `targets` into `out`, with nothing built.
fn release(binary: &Path, targets: &[&str], out: &Path) -> Output {
    let mut recipe = Command::new(Path::new(ROOT).join(".ci/release"));
    recipe.arg("--binary").arg(binary).arg("--out").arg(out).env("SOURCE_DATE_EPOCH", "1795399200");
    recipe.args(targets.iter().flat_map(|target| ["--target", target]));
    run(&mut recipe)
}

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn platforms(manifest: &Value) -> Vec<Value> {
    manifest["spec"]["platforms"].as_array().cloned().unwrap_or_default()
}

fn archive(platform: &Value, dir: &Path) -> PathBuf {
    dir.join(platform["uri"].as_str().unwrap().rsplit('/').next().unwrap())
}

fn label(platform: &Value, key: &str) -> String {
    platform["selector"]["matchLabels"][key].as_str().unwrap_or_default().to_owned()
}

/// What krew's validation (`internal/index/validation`, `cmd/validate-krew-manifest`) has against a manifest that lies in
/// a file `name`.yaml. Selectors are taken as `matchLabels` only, which is stricter.
fn faults(name: &str, manifest: &Value) -> Vec<&'static str> {
    let field = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let word = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !text.is_empty()
    };
    let short = field("/spec/shortDescription");
    let all = platforms(manifest);
    let selected: BTreeSet<_> = all.iter().map(|it| (label(it, "os"), label(it, "arch"))).collect();
    let whole = [
        ("apiVersion", field("/apiVersion") == "krew.googlecontainertools.github.com/v1alpha2"),
        ("kind", field("/kind") == "Plugin"),
        ("name", word(name) && field("/metadata/name") == name),
        ("shortDescription", !short.is_empty() && !short.contains(['\r', '\n'])),
        ("version", semver(field("/spec/version"))),
        ("platforms", !all.is_empty()),
        ("overlap", selected.len() == all.len()),
    ];
    whole
        .into_iter()
        .chain(all.iter().flat_map(platform))
        .filter(|(_, holds)| !holds)
        .map(|(rule, _)| rule)
        .collect()
}

fn semver(version: &str) -> bool {
    let numbers: Vec<&str> = version.strip_prefix('v').unwrap_or_default().split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| number.parse::<u32>().is_ok_and(|n| n.to_string() == *number))
}

fn platform(platform: &Value) -> Vec<(&'static str, bool)> {
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let labels = platform["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let files = platform["files"].as_array().cloned().unwrap_or_default();
    let supported = PLATFORMS
        .iter()
        .any(|(_, os, arch)| label(platform, "os") == *os && label(platform, "arch") == *arch);
    vec![
        ("uri", filled(&platform["uri"])),
        ("sha256", platform["sha256"].as_str().is_some_and(|sum| sum.len() == 64 && sum.chars().all(hex))),
        ("bin", filled(&platform["bin"])),
        ("files", !files.is_empty() && files.iter().all(|file| filled(&file["from"]) && filled(&file["to"]))),
        ("license", files.iter().any(|file| file["from"] == "LICENSE")),
        ("selector", !labels.is_empty() && labels.keys().all(|key| key == "os" || key == "arch")),
        ("supported", supported),
    ]
}

/// The committed manifest with one thing wrong, and the rules that it breaks.
fn broken() -> Vec<(Value, Vec<&'static str>)> {
    let zero = "0".repeat(64);
    let edits: [(&str, Value, &[&str]); 14] = [
        ("/apiVersion", json!("krew.googlecontainertools.github.com/v1"), &["apiVersion"]),
        ("/kind", json!("Plugins"), &["kind"]),
        ("/metadata/name", json!("l5d_rotate"), &["name"]),
        ("/spec/shortDescription", json!(""), &["shortDescription"]),
        ("/spec/shortDescription", json!("Linkerd\nrotation"), &["shortDescription"]),
        ("/spec/version", json!("0.1.0"), &["version"]),
        ("/spec/version", json!("v0.1"), &["version"]),
        ("/spec/platforms", json!([]), &["platforms"]),
        ("/spec/platforms/0/uri", json!(""), &["uri"]),
        ("/spec/platforms/1/sha256", json!(zero.replace('0', "A")), &["sha256"]),
        ("/spec/platforms/2/sha256", json!(zero[1..]), &["sha256"]),
        ("/spec/platforms/3/bin", json!(""), &["bin"]),
        ("/spec/platforms/4/files", json!([{ "from": "LICENSE", "to": "" }]), &["files"]),
        ("/spec/platforms/5/selector/matchLabels/os", json!("linux"), &["overlap"]),
    ];
    let whole = yaml(&Path::new(ROOT).join("plugin.yaml"));
    let edited = |(pointer, value, rules): (&str, Value, &[&'static str])| {
        let mut manifest = whole.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        (manifest, rules.to_vec())
    };
    edits.into_iter().map(edited).collect()
}

#[test]
fn the_committed_manifest_passes_krews_validation_for_six_platforms() {
    let manifest = yaml(&Path::new(ROOT).join("plugin.yaml"));
    assert_eq!(faults("l5d-rotate", &manifest), Vec::<&str>::new());
    let selected: Vec<_> =
        platforms(&manifest).iter().map(|it| (label(it, "os"), label(it, "arch"))).collect();
    let expected: Vec<_> =
        PLATFORMS.iter().map(|(_, os, arch)| ((*os).to_owned(), (*arch).to_owned())).collect();
    assert_eq!(selected, expected);
    let short = manifest["spec"]["shortDescription"].as_str().unwrap();
    assert!(short.contains("Linkerd"), "krew searches name and short description only");
    let home = manifest["spec"]["homepage"].as_str().unwrap();
    assert_eq!(home, env!("CARGO_PKG_REPOSITORY"));
    assert!(platforms(&manifest).iter().all(|it| it["uri"].as_str().unwrap().starts_with(home)));
}

#[test]
fn a_manifest_that_breaks_a_rule_is_refused_for_that_rule() {
    for (manifest, rules) in broken() {
        assert_eq!(faults("l5d-rotate", &manifest), rules);
    }
}

#[test]
fn krews_own_validation_agrees() {
    if !runner::has("krews_own_validation_agrees", &["validate-krew-manifest"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("l5d-rotate.yaml");
    let accepts = || {
        Command::new("validate-krew-manifest")
            .args(["-skip-install", "-manifest"])
            .arg(&file)
            .output()
            .unwrap()
            .status
            .success()
    };
    fs::copy(Path::new(ROOT).join("plugin.yaml"), &file).unwrap();
    assert!(accepts());
    for (manifest, rules) in broken() {
        fs::write(&file, manifest.to_string()).unwrap();
        assert!(!accepts(), "krew accepts a manifest that breaks {rules:?}");
    }
}

#[test]
fn each_platforms_archive_holds_what_the_manifest_says() {
    if !has_gnu_tar("each_platforms_archive_holds_what_the_manifest_says") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    release(&stand_in(dir.path()), &PLATFORMS.map(|(target, ..)| target), dir.path());
    let manifest = yaml(&dir.path().join("l5d-rotate.yaml"));
    assert_eq!(faults("l5d-rotate", &manifest), Vec::<&str>::new());
    assert_eq!(manifest["spec"]["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    assert_eq!(platforms(&manifest).len(), PLATFORMS.len());
    let checksums = fs::read_to_string(dir.path().join("checksums.txt")).unwrap();
    for platform in platforms(&manifest) {
        let archive = archive(&platform, dir.path());
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &fs::read(&archive).unwrap());
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(platform["sha256"], hex);
        let exe = if label(&platform, "os") == "windows" { ".exe" } else { "" };
        assert_eq!(platform["bin"], format!("kubectl-l5d_rotate{exe}"));
        let held = text(&run(Command::new("tar").arg("-tzf").arg(&archive)).stdout);
        let held: BTreeSet<&str> = held.lines().collect();
        let page = "man/kubectl-l5d-rotate.1";
        assert_eq!(
            held,
            BTreeSet::from(["LICENSE", "README.md", "man/", page, platform["bin"].as_str().unwrap()])
        );
        let name = archive.file_name().unwrap().to_str().unwrap();
        assert!(checksums.contains(&format!("{hex}  {name}\n")), "{checksums}");
        let wanted = platform["files"].as_array().unwrap().iter().map(|file| file["from"].as_str().unwrap());
        assert!(wanted.clone().all(|from| held.contains(from)) && wanted.count() == 2);
    }
}

#[test]
fn a_whole_release_is_laid_out_as_an_image_and_committed_to_krews_index() {
    const NAME: &str = "a_whole_release_is_laid_out_as_an_image_and_committed_to_krews_index";
    if !has_gnu_tar(NAME) || !runner::has(NAME, &["git"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (dist, image, index) = (dir.path().join("dist"), dir.path().join("image"), dir.path().join("index"));
    release(&stand_in(dir.path()), &PLATFORMS.map(|(target, ..)| target), &dist);
    let script = |name: &str, to: &Path| {
        let mut script = Command::new(Path::new(ROOT).join(".ci").join(name));
        script.arg(to).env("DIST", &dist);
        for who in ["AUTHOR", "COMMITTER"] {
            script.env(format!("GIT_{who}_NAME"), "ann").env(format!("GIT_{who}_EMAIL"), "ann@example.test");
        }
        script
    };
    run(&mut script("image", &image));
    for file in ["Containerfile", "amd64/kubectl-l5d_rotate", "arm64/kubectl-l5d_rotate"] {
        assert!(image.join(file).is_file(), "{file}");
    }
    fs::create_dir_all(index.join("plugins")).unwrap();
    run(Command::new("git").args(["init", "-q"]).current_dir(&index));
    let branch = text(&run(&mut script("krew-index", &index)).stdout);
    assert_eq!(branch.trim_end(), concat!("l5d-rotate-v", env!("CARGO_PKG_VERSION")));
    let mut show = Command::new("git");
    show.args(["show", &format!("{}:plugins/l5d-rotate.yaml", branch.trim_end())]).current_dir(&index);
    assert_eq!(text(&run(&mut show).stdout), fs::read_to_string(dist.join("l5d-rotate.yaml")).unwrap());

    fs::remove_dir_all(&dist).unwrap();
    release(&stand_in(dir.path()), &[PLATFORMS[0].0], &dist);
    assert!(!script("krew-index", &index).output().unwrap().status.success(), "a platform is missing");
}

#[test]
fn the_same_commit_gives_the_same_archive() {
    if !has_gnu_tar("the_same_commit_gives_the_same_archive") {
        return;
    }
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let binaries = [&one, &two].map(|dir| stand_in(dir.path()));
    fs::set_permissions(&binaries[1], fs::Permissions::from_mode(0o700)).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
    fs::File::open(&binaries[1]).unwrap().set_modified(old).unwrap();
    let [one, two] = [(one, &binaries[0]), (two, &binaries[1])].map(|(dir, binary)| {
        release(binary, &[PLATFORMS[0].0], dir.path());
        let archive = archive(&platforms(&yaml(&dir.path().join("l5d-rotate.yaml")))[0], dir.path());
        fs::read(archive).unwrap()
    });
    assert!(one == two);
}

#[test]
fn a_platform_without_an_archive_is_left_out_and_named() {
    if !has_gnu_tar("a_platform_without_an_archive_is_left_out_and_named") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = release(&stand_in(dir.path()), &[PLATFORMS[3].0], dir.path());
    let manifest = yaml(&dir.path().join("l5d-rotate.yaml"));
    assert_eq!(faults("l5d-rotate", &manifest), Vec::<&str>::new());
    assert_eq!(platforms(&manifest).iter().map(|it| label(it, "os")).collect::<Vec<_>>(), ["darwin"]);
    assert!(text(&output.stderr).contains("windows-arm64.tar.gz: its platform is not in the manifest"));
}

#[test]
fn krew_installs_a_local_build_that_kubectl_runs() {
    const NAME: &str = "krew_installs_a_local_build_that_kubectl_runs";
    if !runner::has(NAME, &["kubectl-krew", "kubectl"]) || !has_gnu_tar(NAME) {
        return;
    }
    let Some((target, os, arch)) = PLATFORMS.into_iter().find(this_machine) else {
        println!("skipped: {NAME}: no archive is made for this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    release(Path::new(runner::PLUGIN), &[target], dir.path());
    let krew_root = install(dir.path(), os, arch).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([krew_root.join("bin")].into_iter().chain(std::env::split_paths(&path)));
    let path = path.unwrap();
    let version = run(Command::new("kubectl").args(["l5d-rotate", "--version"]).env("PATH", path));
    assert!(text(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
    let license = krew_root.join(concat!("store/l5d-rotate/v", env!("CARGO_PKG_VERSION"), "/LICENSE"));
    assert_eq!(fs::read(license).unwrap(), fs::read(Path::new(ROOT).join("LICENSE")).unwrap());
}

#[test]
fn krew_installs_the_archive_of_each_platform_and_refuses_one_that_was_changed() {
    const NAME: &str = "krew_installs_the_archive_of_each_platform_and_refuses_one_that_was_changed";
    if !runner::has(NAME, &["kubectl-krew", "kubectl"]) || !has_gnu_tar(NAME) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    release(&stand_in(dir.path()), &PLATFORMS.map(|(target, ..)| target), dir.path());
    for (_, os, arch) in PLATFORMS {
        install(dir.path(), os, arch).unwrap();
    }
    for platform in platforms(&yaml(&dir.path().join("l5d-rotate.yaml"))) {
        let archive = archive(&platform, dir.path());
        let changed = [fs::read(&archive).unwrap(), vec![0]].concat();
        fs::write(&archive, changed).unwrap();
    }
    let refusal = install(dir.path(), "linux", "amd64").unwrap_err();
    assert!(refusal.contains("checksum does not match"), "{refusal}");
}

#[test]
fn kubectl_reads_the_roles() {
    if !runner::has("kubectl_reads_the_roles", &["kubectl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rbac.yaml");
    fs::write(&file, rbac::manifest("mesh")).unwrap();
    let mut label = Command::new("kubectl");
    label
        .args(["label", "--local", "-o", "json", "read=yes", "-f"])
        .arg(&file)
        .env("KUBECONFIG", "/dev/null");
    let output = text(&run(&mut label).stdout);
    let objects: Vec<Value> =
        serde_json::Deserializer::from_str(&output).into_iter().map(Result::unwrap).collect();
    let named = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["namespace"]);
    assert_eq!(objects.iter().map(named).collect::<Vec<_>>(), [r#""ClusterRole" null"#, r#""Role" "mesh""#]);
    let secrets = objects[1]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["resources"][0] == "secrets")
        .unwrap();
    assert_eq!(secrets["resourceNames"], json!(["linkerd-identity-issuer"]));
    assert_eq!(secrets["verbs"], json!(["get"]));
}

/// A file in place of the program, for platforms that this machine does not build.
fn stand_in(dir: &Path) -> PathBuf {
    let path = dir.join("stand-in");
    runner::write_script(&path, "mkdir -p \"$3\" && echo page >\"$3/kubectl-l5d-rotate.1\"");
    path
}

fn this_machine((_, os, arch): &(&str, &str, &str)) -> bool {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    *os == std::env::consts::OS.replace("macos", "darwin") && *arch == machine
}

/// `kubectl krew install` of what lies in `dir`, into a new root of its own below it: the root, or what krew says.
fn install(dir: &Path, os: &str, arch: &str) -> Result<PathBuf, String> {
    let manifest = dir.join("l5d-rotate.yaml");
    let all = platforms(&yaml(&manifest));
    let platform = all.iter().find(|it| label(it, "os") == os && label(it, "arch") == arch).unwrap();
    let root = tempfile::tempdir_in(dir).unwrap().keep();
    let mut krew = Command::new("kubectl");
    krew.args(["krew", "install"]).arg(format!("--manifest={}", manifest.display()));
    krew.arg(format!("--archive={}", archive(platform, dir).display()));
    krew.envs([("KREW_OS", os), ("KREW_ARCH", arch), ("KREW_NO_UPGRADE_CHECK", "1")]).env("KREW_ROOT", &root);
    let output = krew.output().unwrap();
    if output.status.success() { Ok(root) } else { Err(text(&output.stderr)) }
}
