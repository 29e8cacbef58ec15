//! Which files were asked for, and what messages call them.

use std::path::{Path, PathBuf};

use super::path::is_within;

/// The paths that were asked for, within one repository.
#[derive(Debug, Clone)]
pub(super) struct Places {
    asked: Vec<Asked>,
    excluded: Vec<String>,
}

#[derive(Debug, Clone)]
struct Asked {
    /// From the repository's root.
    name: String,
    /// As the user wrote it.
    written: PathBuf,
    is_directory: bool,
    recursive: bool,
}

impl Places {
    /// `paths` as the user wrote them, within `root`.
    pub(super) fn new(root: &Path, paths: &[PathBuf], recursive: bool, excluded: &[String]) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let asked = |path: &PathBuf| {
            // A file that the change removes is not there; its directory may be.
            let whole = path.canonicalize().ok().or_else(|| {
                let parent =
                    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                Some(parent.canonicalize().ok()?.join(path.file_name()?))
            })?;
            let name = whole.strip_prefix(&root).ok()?.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
            Some(Asked { name, written: path.clone(), is_directory: path.is_dir(), recursive })
        };
        Self { asked: paths.iter().filter_map(asked).collect(), excluded: excluded.to_vec() }
    }

    /// Was this file asked for?
    pub(super) fn has(&self, name: &str) -> bool {
        let asked = self.asked.iter().any(|asked| asked.has(name));
        asked && !self.excluded.iter().any(|pattern| is_like(pattern, name))
    }

    /// Is this file, of whatever kind, where something was asked for? Manifests may refer to files that are none.
    pub(super) fn has_sibling(&self, name: &str) -> bool {
        self.asked.iter().any(|asked| asked.is_directory && is_within(&asked.name, name))
            && !self.excluded.iter().any(|pattern| is_like(pattern, name))
    }

    /// What messages call a file or directory: from where the user is, as far as that was named.
    pub(super) fn name(&self, name: &str) -> String {
        let within = self.asked.iter().find(|asked| is_within(&asked.name, name));
        let Some(asked) = within else { return name.to_owned() };
        let rest = name.strip_prefix(&asked.name).unwrap_or(name).trim_start_matches('/');
        let path = if rest.is_empty() { asked.written.clone() } else { asked.written.join(rest) };
        let shown = path.display().to_string();
        shown.strip_prefix("./").unwrap_or(&shown).to_owned()
    }
}

impl Asked {
    fn has(&self, name: &str) -> bool {
        if !self.is_directory {
            return self.name == name;
        }
        let hidden = |rest: &str| rest.split('/').any(|part| part.starts_with('.') && part.len() > 1);
        let rest = name.strip_prefix(&self.name).unwrap_or(name).trim_start_matches('/');
        is_within(&self.name, name) && !hidden(rest) && (self.recursive || !rest.contains('/'))
    }
}

/// A pattern as `.gitignore` has them: `*` within a name, `**` over any number of names; one without `/` may stand anywhere,
/// and what is below something excluded is, too.
fn is_like(pattern: &str, name: &str) -> bool {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let names: Vec<&str> = name.split('/').collect();
    let starts = if anchored { 0..1 } else { 0..names.len() };
    starts.into_iter().any(|start| (start + 1..=names.len()).any(|end| matches(&pattern, &names[start..end])))
}

/// A pattern of a whole path: `*` within a name, `**` over any number of names.
pub(super) fn is_path_like(pattern: &str, name: &str) -> bool {
    let [pattern, name]: [Vec<&str>; 2] = [pattern, name].map(|path| path.split('/').collect());
    matches(&pattern, &name)
}

/// Of what stands between two `**`, and between two `*`, the first place that fits is as good as any: nothing is tried twice, whatever
/// a pattern asks for.
fn matches(pattern: &[&str], names: &[&str]) -> bool {
    let fits = |run: &[&str], names: &[&str]| {
        run.len() == names.len() && run.iter().zip(names).all(|(pattern, name)| is_text_like(pattern, name))
    };
    let runs: Vec<&[&str]> = pattern.split(|name| *name == "**").collect();
    let [first, middle @ .., last] = &runs[..] else { return fits(pattern, names) };
    if names.len() < first.len() + last.len() {
        return false;
    }
    let (start, rest) = names.split_at(first.len());
    let (mut rest, end) = rest.split_at(rest.len() - last.len());
    if !fits(first, start) || !fits(last, end) {
        return false;
    }
    for run in middle.iter().filter(|run| !run.is_empty()) {
        let Some(at) = rest.windows(run.len()).position(|names| fits(run, names)) else { return false };
        rest = &rest[at + run.len()..];
    }
    true
}

/// A pattern of a whole text: `*` stands for anything.
pub(super) fn is_text_like(pattern: &str, name: &str) -> bool {
    let pieces: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = &pieces[..] else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_excludes_as_in_gitignore() {
        for (pattern, name, excluded) in [
            ("vendor", "a/vendor/b.yaml", true),
            ("vendor/", "vendor/b.yaml", true),
            ("*.tpl.yaml", "a/b.tpl.yaml", true),
            ("a/*.yaml", "a/b.yaml", true),
            ("a/*.yaml", "b/a/b.yaml", false),
            ("a/**/test", "a/b/c/test/x.yaml", true),
            ("clusters/dev", "clusters/development/x.yaml", false),
        ] {
            assert_eq!(is_like(pattern, name), excluded, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_a_whole_path_is_that_of_all_of_it() {
        for (pattern, name, is_it) in [
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/b/y/b", true),
            ("a/**/b", "a/x/b/y", false),
            ("**/x/**/y", "a/x/b/y/c/y", true),
            ("**/x/**/y", "y/x", false),
            ("**", "a/b", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "abba", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("*b*", "abc", true),
        ] {
            assert_eq!(is_path_like(pattern, name), is_it, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_costs_no_more_the_more_it_asks_for() {
        let (many, name) = ("*a".repeat(200), "a".repeat(150));
        assert!(!is_path_like(&many, &name));
        assert!(!is_path_like(&"**/a/".repeat(200), &"a/".repeat(150)));
    }
}
