//! What a rotation would be that is not begun: its certificates do not exist, so that nothing is called after them.

use std::path::Path;

use anstyle::Style;
use serde_json::{Value, json};

use super::manual::acts_and_commands;
use super::markdown::listed;
use super::notes::{besides_commit, sentences};
use super::{body, plan_json, rows};
use crate::cli::{DataFormat, PlanFormat};
use crate::mesh::Mesh;
use crate::pki::Fingerprint;
use crate::report::Screen;
use crate::report::markdown::{escaped, fenced};
use crate::report::next::{Next, UnderWay};
use crate::report::pull::steps_table;
use crate::report::words::{as_data, count, styled};
use crate::rotation::{Plan, Record, Strategy};

/// A rotation that is not begun.
#[derive(Debug)]
pub struct Preview {
    /// What its record would be.
    pub record: Record,
    /// Its plan over the mesh.
    pub plan: Plan,
    /// The mesh.
    pub mesh: Mesh,
    /// What the next command reads it from.
    pub arguments: String,
}

/// Why there is no preview for one of several clusters.
#[derive(Debug)]
pub struct NoPreview {
    /// What stands against it.
    pub what: String,
    /// The next thing to do.
    pub todo: Option<String>,
}

/// One cluster, by its directory, and what a rotation would be there.
type Named = (String, Result<Preview, NoPreview>);

/// The previews, of several clusters each under its directory.
#[must_use]
pub fn plan_previews(all: &[Named], format: PlanFormat, screen: &Screen) -> String {
    match format {
        PlanFormat::Text | PlanFormat::Name => text(all, false, screen),
        PlanFormat::Wide => text(all, true, screen),
        PlanFormat::Markdown => markdown(all, screen),
        PlanFormat::Json => as_data(DataFormat::Json, &data(all, screen)).unwrap_or_default(),
        PlanFormat::Yaml => as_data(DataFormat::Yaml, &data(all, screen)).unwrap_or_default(),
    }
}

fn text(all: &[Named], is_wide: bool, screen: &Screen) -> String {
    let one = |(unit, preview): &Named| {
        let text = match preview {
            Ok(preview) => {
                let head: String = preview.head().iter().map(|line| format!("{line}\n")).collect();
                head + &body(&preview.under_way(), &preview.mesh, is_wide, screen)
                    + &preview.next().text(screen)
            }
            Err(NoPreview { what, todo }) => {
                let lines =
                    [Some(format!("error: {what}")), todo.as_ref().map(|todo| format!("help:  {todo}"))];
                lines.iter().flatten().map(|line| screen.wrapped(line, "", "       ")).collect()
            }
        };
        match unit.as_str() {
            "" => text,
            unit => format!("{}\n{text}", styled(Style::new().bold(), unit)),
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn data(all: &[Named], screen: &Screen) -> Value {
    let one = |(unit, preview): &Named| {
        let mut tree = match preview {
            Ok(preview) => preview.data(screen),
            Err(NoPreview { what, todo }) => json!({"error": {"what": what, "todo": todo}}),
        };
        if !unit.is_empty() {
            tree["unit"] = json!(unit);
        }
        tree
    };
    match all {
        [alone @ (unit, _)] if unit.is_empty() => one(alone),
        _ => json!({"schema": "l5d-rotate/plan/v1", "units": all.iter().map(one).collect::<Vec<_>>()}),
    }
}

fn markdown(all: &[Named], screen: &Screen) -> String {
    let one = |(unit, preview): &Named| {
        let (title, text) = match preview {
            Ok(preview) => preview.markdown(screen),
            Err(NoPreview { what, todo }) => {
                let lines =
                    [Some(format!("No plan: {what}")), todo.as_ref().map(|todo| format!("To do: {todo}"))];
                let lines: Vec<_> =
                    lines.iter().flatten().map(|line| format!("{}\n", escaped(line))).collect();
                (String::new(), lines.join("\n"))
            }
        };
        match unit.as_str() {
            "" => format!("## {title}\n\n{text}"),
            unit if title.is_empty() => format!("## {}\n\n{text}", escaped(unit)),
            unit => format!("## {}\n\n{title}\n\n{text}", escaped(unit)),
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join("\n")
}

impl Preview {
    fn under_way(&self) -> UnderWay<'_> {
        UnderWay { dir: Path::new("rotation"), record: &self.record, plan: &self.plan, checkout: None }
    }

    fn head(&self) -> [String; 2] {
        let steps = count(self.plan.steps.len() as u64, "step", "steps");
        [
            format!("A rotation of {}, as `start` would begin it", self.record.trust_domain),
            format!("Strategy {}, {steps}; nothing is minted or written", self.record.strategy),
        ]
    }

    fn next(&self) -> Next {
        let strategy = match self.record.strategy {
            Strategy::Staged => String::new(),
            other => format!(" --strategy {other}"),
        };
        Next {
            why: "Begin it: this mints certificates, and changes nothing in the cluster.".to_owned(),
            command: Some(format!("kubectl l5d-rotate start --dir rotation{strategy}{}", self.arguments)),
        }
    }

    /// The data of a plan; what `start` has to mint is called `new`.
    fn data(&self, screen: &Screen) -> Value {
        let mut tree = plan_json(&self.under_way(), &self.mesh, &self.arguments, screen);
        let minted: Vec<Fingerprint> = match &self.record.managed {
            Some(_) => Vec::new(),
            None => {
                let anchor = self.record.anchor().map(|anchor| anchor.fingerprint());
                anchor.into_iter().chain([self.record.issuer.issuer.fingerprint()]).collect()
            }
        };
        unnamed(&mut tree, &minted);
        for field in ["dir", "started", "newAnchor", "newIssuer"] {
            tree[field] = Value::Null;
        }
        tree["next"] = json!(self.next());
        tree
    }

    fn markdown(&self, screen: &Screen) -> (String, String) {
        let [_, facts] = self.head();
        let title =
            format!("A rotation of {}, as `start` would begin it", escaped(&self.record.trust_domain));
        let mut out = format!("{}.\n\n", escaped(&facts));
        out.push_str(&steps_table(&rows(&self.plan, &self.record, &self.mesh)));
        let mut items: Vec<String> = Vec::new();
        let mut add = |item: String| {
            if !items.contains(&item) {
                items.push(item);
            }
        };
        for planned in &self.plan.steps {
            for manual in &planned.manual {
                for (what, command) in acts_and_commands(manual) {
                    let object = manual.object.to_string();
                    let text = format!("Manually, {}: {}", escaped(&object), escaped(&what));
                    add(listed(&text, command.as_deref()));
                }
            }
            for note in besides_commit(planned) {
                let sentences = sentences(&note, Path::new("rotation"), screen);
                add(format!("- `{}`: {}\n", note.code(), escaped(&sentences)));
            }
        }
        if !items.is_empty() {
            out.push_str(&format!("\n{}", items.concat()));
        }
        let next = self.next();
        out.push_str(&format!(
            "\n{}\n\n{}",
            escaped(&next.why),
            fenced("sh", &next.command.unwrap_or_default())
        ));
        (title, out)
    }
}

/// Puts `new` in the place of certificates that do not exist, and takes out marks of restarts, which are made of them.
fn unnamed(tree: &mut Value, minted: &[Fingerprint]) {
    match tree {
        Value::String(text) => {
            for one in minted {
                *text = text.replace(&one.to_string(), "new").replace(&one.short().to_string(), "new");
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| unnamed(item, minted));
            // Certificates stand in the order of their fingerprints.
            items.sort_by_key(|item| item == "new");
        }
        Value::Object(map) => {
            if map.contains_key("restart")
                && let Some(annotation) = map.get_mut("annotation")
            {
                *annotation = Value::Null;
            }
            map.values_mut().for_each(|value| unnamed(value, minted));
        }
        _ => {}
    }
}
