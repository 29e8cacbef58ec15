//! The Git generator: directories of this repository, and what its files say.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::generator::{Generators, flat, one};
use super::notation::{Notation, Parameters};
use crate::checkout::kustomization::list;
use crate::checkout::path::is_within;
use crate::checkout::place::{is_path_like, is_text_like};
use crate::checkout::side::{Side, directory_of};
use crate::document::text_at;

impl Generators<'_> {
    /// Directories of this repository, or what its files say.
    pub(super) fn git(&self, of: &Value) -> Option<Vec<Parameters>> {
        let has = |what: &str| list(of.get(what)).next().is_some();
        let mut found = match (has("directories"), has("files")) {
            (true, _) => self.directories(of)?,
            (false, true) => self.files(of)?,
            (false, false) => return None,
        };
        for given in &mut found {
            self.add_values(of.get("values"), given)?;
        }
        Some(found)
    }

    fn directories(&self, of: &Value) -> Option<Vec<Parameters>> {
        let rules = Rules::of(of.get("directories"), &['?', '[', '\\'])?;
        // `**` is no more than `*` in names of directories.
        let is_like = |pattern: &str, name: &str| is_path_like(&pattern.replace("**", "*"), name);
        let mut found = Vec::new();
        for directory in directories(self.side).into_iter().filter(|name| rules.has(name, is_like)) {
            found.push(self.located(of, directory, None));
        }
        Some(found)
    }

    fn files(&self, of: &Value) -> Option<Vec<Parameters>> {
        let rules = Rules::of(of.get("files"), &['?', '[', '\\', '{'])?;
        let mut found = Vec::new();
        for name in self.side.names() {
            let is_named = rules.has(name, is_path_like);
            // Unless Argo CD is told otherwise, `*` stands for `/`, too.
            if is_named != rules.has(name, is_like_in_git) {
                return None;
            }
            if !is_named {
                continue;
            }
            let content = one(&self.side.text(name)?)?;
            self.read.borrow_mut().insert(name.to_owned());
            let elements = match content {
                Value::Array(items) => items,
                Value::Null => vec![json!({})],
                other => vec![other],
            };
            let directory = if directory_of(name).is_empty() { "." } else { directory_of(name) };
            for element in elements {
                let mut given = match self.notation {
                    Notation::Go => element.as_object()?.clone(),
                    Notation::Plain => flat(&element.is_object().then_some(element)?),
                };
                given.extend(self.located(of, directory, Some(name)));
                found.push(given);
            }
        }
        Some(found)
    }

    /// Where a directory is, or a file in it.
    fn located(&self, of: &Value, directory: &str, file: Option<&str>) -> Parameters {
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let segments: Vec<&str> = directory.split('/').collect();
        let mut place = Parameters::new();
        place.insert("basename".to_owned(), last(directory).into());
        place.insert("basenameNormalized".to_owned(), normalized(&last(directory)).into());
        if let Some(file) = file.map(last) {
            place.insert("filenameNormalized".to_owned(), normalized(&file).into());
            place.insert("filename".to_owned(), file.into());
        }
        let prefix = text_at(of, "/pathParamPrefix");
        let mut given = Parameters::new();
        if self.notation == Notation::Go {
            place.insert("path".to_owned(), directory.into());
            place.insert("segments".to_owned(), json!(segments));
            match prefix {
                "" => given.insert("path".to_owned(), place.into()),
                prefix => given.insert(prefix.to_owned(), json!({"path": place})),
            };
            return given;
        }
        let name = if prefix.is_empty() { "path".to_owned() } else { format!("{prefix}.path") };
        given.extend(place.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
        let named = segments.iter().enumerate().filter(|(_, segment)| !segment.is_empty());
        given.extend(named.map(|(at, segment)| (format!("{name}[{at}]"), (*segment).into())));
        given.insert(name, directory.into());
        given
    }

    /// Further values, in which what is given already may stand.
    fn add_values(&self, values: Option<&Value>, given: &mut Parameters) -> Option<()> {
        let Some(values) = values.and_then(Value::as_object).filter(|values| !values.is_empty()) else {
            return Some(());
        };
        let mut made = Parameters::new();
        for (key, value) in values {
            made.insert(key.clone(), self.notation.text(value.as_str()?, given).into());
        }
        match self.notation {
            Notation::Go => _ = given.insert("values".to_owned(), made.into()),
            Notation::Plain => {
                given.extend(made.into_iter().map(|(key, value)| (format!("values.{key}"), value)))
            }
        }
        Some(())
    }
}

/// Patterns of paths, and of those that are left out.
struct Rules<'a> {
    named: Vec<&'a str>,
    excluded: Vec<&'a str>,
}

impl<'a> Rules<'a> {
    /// `None` where a pattern is not told, or says more than `*`.
    fn of(rules: Option<&'a Value>, unlike: &[char]) -> Option<Self> {
        let path = |rule: &'a Value| {
            rule["path"].as_str().filter(|path| !path.contains(unlike) && !path.contains("{{"))
        };
        let (excluded, named): (Vec<_>, Vec<_>) = list(rules).partition(|rule| rule["exclude"] == true);
        let paths = |rules: Vec<&'a Value>| rules.into_iter().map(path).collect::<Option<Vec<_>>>();
        Some(Self { named: paths(named)?, excluded: paths(excluded)? })
    }

    fn has(&self, name: &str, is_like: impl Fn(&str, &str) -> bool) -> bool {
        self.named.iter().any(|pattern| is_like(pattern, name))
            && !self.excluded.iter().any(|pattern| is_like(pattern, name))
    }
}

/// All directories but hidden ones.
pub(super) fn directories(side: &Side) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    for name in side.names() {
        let mut directory = directory_of(name);
        while !directory.is_empty() && all.insert(directory) {
            directory = directory_of(directory);
        }
    }
    all.retain(|directory| !directory.split('/').any(|part| part.starts_with('.')));
    all
}

/// As `git ls-files` matches: `*` stands for anything, and a plain path for what is below it.
fn is_like_in_git(pattern: &str, name: &str) -> bool {
    if pattern.contains('*') { is_text_like(pattern, name) } else { is_within(pattern, name) }
}

/// As names of objects are written.
fn normalized(name: &str) -> String {
    const LONGEST: usize = 253;
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
    let name: String = name.to_lowercase().chars().map(plain).take(LONGEST).collect();
    name.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_within_one_name_but_for_git() {
        for (pattern, name, in_git) in [
            ("clusters/*/c.json", "clusters/a/b/c.json", true),
            ("clusters/**/c.json", "clusters/c.json", false),
            ("a*b*", "a/x/b", true),
            ("clusters", "clusters/a.json", true),
            ("clusters", "clusters2/a.json", false),
        ] {
            assert_eq!(is_like_in_git(pattern, name), in_git, "{pattern} {name}");
        }
        assert!(!is_path_like("clusters/*/c.json", "clusters/a/b/c.json"));
        assert!(is_path_like("clusters/**/c.json", "clusters/c.json"));
    }
}
