//! `docs/demo.svg`, the terminal picture of the README: the program's own screens, one after the other, in a minute.
//!
//! `UPDATE_DOCS=1 cargo test --test it demo` draws it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::docs::is_current;
use crate::runner;

/// One screen.
struct Scene {
    title: &'static str,
    command: &'static str,
    at: &'static str,
}

const NIGHT: &str = "2026-11-23T02:00:00Z";

/// Run in a directory with what [`set`] puts there.
const SCENES: [Scene; 6] = [
    Scene {
        title: "Who trusts what, and until when?",
        command: "kubectl l5d-rotate -f cluster.yaml",
        at: NIGHT,
    },
    Scene {
        title: "A rotation is nine commits, in an order",
        command: "kubectl l5d-rotate plan --dir rotation -f cluster.yaml",
        at: NIGHT,
    },
    Scene {
        title: "The first one, as an edit of your own files",
        command: "kubectl l5d-rotate diff bundle --step 1 --in . --dir rotation -f cluster.yaml",
        at: NIGHT,
    },
    Scene {
        title: "A step that comes too early is not given",
        command: "kubectl l5d-rotate render issuer --step 1 --dir rotation -f cluster.yaml",
        at: NIGHT,
    },
    Scene {
        title: "A change that anybody wrote is judged",
        command: "kubectl l5d-rotate verify --proposed new-anchor.yaml -f cluster.yaml",
        at: NIGHT,
    },
    Scene {
        title: "Everything has restarted: what is next?",
        command: "kubectl l5d-rotate status --dir rotation -f restarted.yaml",
        at: "2026-11-23T04:30:00Z",
    },
];

const SECONDS: usize = 10;
const ROWS: usize = 38;
const COLUMNS: usize = 80;
const WIDE: f64 = 8.4;
const HIGH: usize = 18;
const MARGIN: usize = 16;

const HEAD: &str = "\
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d0d7de }
.title { fill: #8b949e } .bold { font-weight: 700; fill: #ffffff }
.red { fill: #ff7b72 } .green { fill: #7ee787 } .yellow { fill: #e3b341 } .cyan { fill: #79c0ff }
";

/// A repository with Helm values, a rotation in it, what runs, and a change that somebody proposes.
fn set(home: &Path) {
    let copy = "cp -r \"$DATA/checkouts/helm/.\" \"$DATA/rotation\" \"$DATA/cluster.yaml\" . \
        && cp \"$DATA/stages/3-bundle-everywhere.yaml\" restarted.yaml && git init -q . && git add platform rotation";
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let copied = runner::shell(copy).env("DATA", data).current_dir(home).status().unwrap();
    assert!(copied.success());
    let anchor = fs::read_to_string(home.join("rotation/anchor.pem")).unwrap();
    let indented: String = anchor.lines().map(|line| format!("    {line}\n")).collect();
    let proposed = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: linkerd-identity-trust-roots, namespace: linkerd}\n\
        data:\n  ca-bundle.crt: |\n";
    fs::write(home.join("new-anchor.yaml"), format!("{proposed}{indented}")).unwrap();
}

/// What a terminal shows of a command: its first rows, where it prints more.
fn shown(home: &Path, scene: &Scene) -> Vec<String> {
    let line = format!("{{ {} --at {} --color always; }} 2>&1", scene.command, scene.at);
    let output = runner::shell(&line).current_dir(home).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = screen.lines().map(str::to_owned).collect();
    assert!(lines.len() > 5, "{}\n{screen}", scene.command);
    if lines.len() >= ROWS {
        lines.truncate(ROWS - 2);
        lines.push("…".to_owned());
    }
    lines
}

/// A line of a screen, in which SGR sequences change the class of what follows.
fn drawn(line: &str, row: usize) -> String {
    let y = MARGIN + HIGH * (row + 2);
    let mut text = format!("<text y=\"{y}\">");
    let (mut column, mut class) = (0, "");
    for (at, run) in line.split('\u{1b}').enumerate() {
        let run = match run.strip_prefix('[').and_then(|run| run.split_once('m')).filter(|_| at > 0) {
            None => run,
            Some((code, run)) => {
                class = match code {
                    "1" => "bold",
                    "31" => "red",
                    "32" => "green",
                    "33" => "yellow",
                    "36" => "cyan",
                    "0" => "",
                    _ => panic!("the picture has no colour for {code}"),
                };
                run
            }
        };
        if run.is_empty() {
            continue;
        }
        let escaped = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        // Each run has its place, so that it stands in its column whatever the font.
        let x = MARGIN as f64 + column as f64 * WIDE;
        let _ = write!(text, "<tspan x=\"{x:.1}\" class=\"{class}\">{escaped}</tspan>");
        column += run.chars().count();
    }
    assert!(column <= COLUMNS, "{column} columns: {line}");
    text + "</text>\n"
}

fn picture(home: &Path) -> String {
    let wide = (COLUMNS as f64 * WIDE) as usize + 2 * MARGIN;
    let high = HIGH * (ROWS + 2) + 2 * MARGIN;
    let whole = SCENES.len() * SECONDS;
    let share = 100.0 / SCENES.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" xml:space=\"preserve\">\n<style>\n{HEAD}\
         .scene {{ opacity: 0; animation: scene {whole}s step-end infinite }} .first {{ opacity: 1 }}\n\
         @keyframes scene {{ 0% {{ opacity: 1 }} {share:.3}% {{ opacity: 0 }} 100% {{ opacity: 0 }} }}\n\
         @media (prefers-reduced-motion: reduce) {{ .scene {{ animation: none }} }}\n</style>\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (at, scene) in SCENES.iter().enumerate() {
        let first = if at == 0 { " first" } else { "" };
        let delay = at * SECONDS;
        let _ = writeln!(svg, "<g class=\"scene{first}\" style=\"animation-delay: {delay}s\">");
        let title = format!("{} of {}   {}", at + 1, SCENES.len(), scene.title);
        let y = MARGIN + HIGH / 2;
        let _ = writeln!(svg, "<text class=\"title\" x=\"{MARGIN}\" y=\"{y}\">{title}</text>");
        let typed = format!("\u{1b}[32m$ \u{1b}[1m{}\u{1b}[0m", scene.command);
        svg.push_str(&drawn(&typed, 0));
        for (row, line) in shown(home, scene).iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            svg.push_str(&drawn(line, row + 1));
        }
        svg.push_str("</g>\n");
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_shows_what_the_program_prints() {
    if !runner::has("the_picture_shows_what_the_program_prints", &["git"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    set(home.path());
    is_current("demo.svg", &picture(home.path()));
}
